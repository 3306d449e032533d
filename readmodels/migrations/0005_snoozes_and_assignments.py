from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0004_disputes"),
    ]

    operations = [
        migrations.AddField(
            model_name="paymentsummary",
            name="assigned_to",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="The actor who should decide.",
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="snooze_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("waiting_for_customer", "Waiting for customer"),
                    ("waiting_for_documents", "Waiting for documents"),
                    ("waiting_for_colleague", "Waiting for colleague"),
                    ("other", "Other"),
                ],
                db_default="",
                max_length=30,
            ),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="snoozed_by",
            field=models.CharField(blank=True, db_default="", max_length=100),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="snoozed_until",
            field=models.DateTimeField(
                help_text="When it returned or returns to the queue.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                condition=models.Q(
                    ("status", "pending_review"), models.Q(("assigned_to", ""), _negated=True)
                ),
                fields=["assigned_to", "review_deadline", "payment_id"],
                name="payment_assigned",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                condition=models.Q(
                    ("status", "pending_review"), models.Q(("snoozed_by", ""), _negated=True)
                ),
                fields=["snoozed_by", "review_deadline", "payment_id"],
                name="payment_snoozed",
            ),
        ),
    ]
