"""Show who has claimed a review, that it was escalated, and whom four eyes need."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0016_review_deadlines"),
    ]

    operations = [
        migrations.AddField(
            model_name="paymentsummary",
            name="claimed_by",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The actor, for a while.",
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="claimed_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="escalated",
            field=models.BooleanField(
                db_default=False, default=False, help_text="Senior reviewers decide."
            ),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="first_approver",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="four_eyes",
            field=models.BooleanField(
                db_default=False, default=False, help_text="Two people have to approve."
            ),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="reject_advised",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="eventindex",
            name="event_type",
            field=models.CharField(
                choices=[
                    ("payment.initiated", "payment.initiated"),
                    ("payment.processed", "payment.processed"),
                    ("payment.failed", "payment.failed"),
                    ("payment.flagged_for_review", "payment.flagged_for_review"),
                    ("payment.review_claimed", "payment.review_claimed"),
                    ("payment.review_released", "payment.review_released"),
                    ("payment.review_escalated", "payment.review_escalated"),
                    ("payment.first_approved", "payment.first_approved"),
                    ("payment.approved", "payment.approved"),
                    ("payment.rejected", "payment.rejected"),
                    ("payment.expired", "payment.expired"),
                    ("payment.cancelled", "payment.cancelled"),
                    ("payment.refunded", "payment.refunded"),
                    ("policy.proposed", "policy.proposed"),
                    ("policy.approved", "policy.approved"),
                    ("policy.retired", "policy.retired"),
                ],
                max_length=100,
            ),
        ),
    ]
