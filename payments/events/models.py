"""The tables of the log: events, reservations of unique values, snapshots and seals."""

from typing import Final

from django.db import models

VERSION_CONSTRAINT: Final = "events_event_aggregate_version"
POSITION_CONSTRAINT: Final = "events_event_pkey"
RESERVATION_CONSTRAINT: Final = "events_claim_pkey"


class Event(models.Model):
    """An event. `store` inserts rows. Triggers refuse to change or delete them.

    There are only two indexes, because each one slows down every append.
    """

    # The column is GENERATED ALWAYS (see the migrations), so no client can choose a position.
    position = models.BigAutoField(primary_key=True)
    aggregate_type = models.CharField(max_length=50)
    aggregate_id = models.UUIDField()
    version = models.IntegerField()
    event_type = models.CharField(max_length=100)
    schema_version = models.SmallIntegerField()
    data = models.JSONField()
    metadata = models.JSONField()
    occurred_at = models.DateTimeField()
    # The time of the insert: now() would be the start of the transaction, which may be much earlier.
    recorded_at = models.DateTimeField(
        db_default=models.Func(function="clock_timestamp", output_field=models.DateTimeField())
    )

    class Meta:
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("aggregate_id", "version"), name=VERSION_CONSTRAINT),
        )

    def __str__(self) -> str:
        return f"{self.position} {self.event_type} v{self.version}"


class Reservation(models.Model):
    """A value that belongs to one stream permanently, such as a client's own reference."""

    pk = models.CompositePrimaryKey("namespace", "value")
    namespace = models.CharField(max_length=100)
    value = models.CharField(max_length=255)
    aggregate_id = models.UUIDField()

    class Meta:
        db_table = "events_claim"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.namespace} {self.value}"


class Snapshot(models.Model):
    """A cached state of a long stream after `version` events, see `snapshots`."""

    aggregate_id = models.UUIDField(primary_key=True)
    version = models.IntegerField()
    # The fold id of the code that made the state. Code with another fold id ignores the snapshot.
    fold = models.CharField(max_length=50)
    state = models.JSONField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.aggregate_id} v{self.version}"


class Log(models.Model):
    """The log as a whole: one row, inserted with the first seal.

    `identity` is part of every seal. The row also remembers the last seal, so that the loss of that
    seal is noticed.
    """

    id = models.SmallIntegerField(primary_key=True, db_default=1)
    identity = models.UUIDField(
        db_default=models.Func(function="gen_random_uuid", output_field=models.UUIDField())
    )
    sealed_number = models.BigIntegerField(db_default=0)
    sealed_position = models.BigIntegerField(db_default=0)

    class Meta:
        default_permissions = ()
        constraints = (
            models.CheckConstraint(condition=models.Q(id=1), name="events_log_only_one"),
        )

    def __str__(self) -> str:
        return str(self.identity)


class Seal(models.Model):
    """A signed statement about a range of the log, see `seals.seal`. Triggers refuse changes."""

    # The previous seal's number plus one. The primary key lets only one of two concurrent sealers
    # succeed.
    number = models.BigIntegerField(primary_key=True)
    statement = models.TextField()
    positions = models.TextField()
    digests = models.BinaryField()
    signature = models.BinaryField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"seal {self.number}"
