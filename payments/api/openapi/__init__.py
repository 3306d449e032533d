"""The OpenAPI document: schemas and how it is served."""
