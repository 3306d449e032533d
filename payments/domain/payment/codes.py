"""The codes that events store: reasons, and the kinds and outcomes of disputes."""

from enum import StrEnum


class FailureReason(StrEnum):
    METHOD_LIMIT_EXCEEDED = "method_limit_exceeded"
    BLOCKED_BY_POLICY = "blocked_by_policy"


class ApprovalReason(StrEnum):
    VERIFIED_WITH_CUSTOMER = "verified_with_customer"
    KNOWN_CUSTOMER = "known_customer"
    DOCUMENTS_CHECKED = "documents_checked"
    OTHER = "other"


class RejectionReason(StrEnum):
    SUSPECTED_FRAUD = "suspected_fraud"
    CUSTOMER_UNREACHABLE = "customer_unreachable"
    DOCUMENTS_MISSING = "documents_missing"
    OTHER = "other"


class EscalationReason(StrEnum):
    BEYOND_MY_AUTHORITY = "beyond_my_authority"
    SUSPICIOUS_PATTERN = "suspicious_pattern"
    SECOND_OPINION = "second_opinion"
    OTHER = "other"


class SnoozeReason(StrEnum):
    WAITING_FOR_CUSTOMER = "waiting_for_customer"
    WAITING_FOR_DOCUMENTS = "waiting_for_documents"
    WAITING_FOR_COLLEAGUE = "waiting_for_colleague"
    OTHER = "other"


class CancellationReason(StrEnum):
    REQUESTED_BY_CUSTOMER = "requested_by_customer"
    DUPLICATE = "duplicate"
    OTHER = "other"


class RefundReason(StrEnum):
    REQUESTED_BY_CUSTOMER = "requested_by_customer"
    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    OTHER = "other"


class DisputeKind(StrEnum):
    INQUIRY = "inquiry"
    CHARGEBACK = "chargeback"
    PRE_ARBITRATION = "pre_arbitration"


class DisputeReason(StrEnum):
    FRAUDULENT = "fraudulent"
    UNRECOGNIZED = "unrecognized"
    PRODUCT_NOT_RECEIVED = "product_not_received"
    DUPLICATE = "duplicate"
    CREDIT_NOT_PROCESSED = "credit_not_processed"
    SUBSCRIPTION_CANCELED = "subscription_canceled"
    GENERAL = "general"


class DisputeOutcome(StrEnum):
    WON = "won"
    LOST = "lost"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    PREVENTED = "prevented"
