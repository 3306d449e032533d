"""Second factors and sessions of staff. The screens are in readmodels/admin/account/."""
