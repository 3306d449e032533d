"""Create a back-office user with a role, or reset the second factor of one."""

import secrets
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from django.utils import timezone

from payments import actors
from payments.domain.text import TextError, checked_text
from payments.identity import resets, signing_in
from readmodels.roles import ROLES, help_lines


class Command(BaseCommand):
    help = (
        "Create a back-office user. Without --password-stdin, generate a password and print it once. The"
        " first sign-in asks for another password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py create_staff ada --role 'senior reviewer'\n"
            "  pass show ada | ./manage.py create_staff ada --role analyst --password-stdin\n"
            "  ./manage.py create_staff ada --reset-mfa     lost device: the next sign-in sets up another\n\n"
            "Roles:\n" + "\n".join(help_lines()) + "\n\n"
            "./manage.py createsuperuser creates an account that may do everything, erasures and\n"
            "staff accounts included."
        )
        parser.add_argument("username")
        todo = parser.add_mutually_exclusive_group(required=True)
        todo.add_argument("--role", choices=tuple(ROLES), metavar="ROLE")
        todo.add_argument(
            "--reset-mfa",
            action="store_true",
            help="remove the second factor and the recovery codes of an existing user",
        )
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from standard input",
        )

    def handle(self, *_: Any, username: str, role: str | None, **options: Any) -> None:
        if role is None:
            self._reset(username)
            return
        password = secrets.token_urlsafe(12)
        if options["password_stdin"]:
            password = sys.stdin.readline().rstrip("\r\n")
        model = get_user_model()
        try:
            username = model.normalize_username(checked_text(username, max_length=150))
            user = model(username=username, is_staff=True)
            user.clean_fields(exclude={"password"})
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except TextError as error:
            raise CommandError(f"username: {error}") from error
        user.set_password(password)
        try:
            with transaction.atomic():
                user.save()
                user.groups.add(Group.objects.get(name=role))
                signing_in.require_new_password(user)
        except IntegrityError as error:
            raise CommandError(f"User {username!r} exists already.") from error
        self.stderr.write(f"{username} has the role {role} and can sign in at /admin/.")
        if not options["password_stdin"]:
            self.stderr.write("Password, shown only now:")
            self.stdout.write(password)

    def _reset(self, username: str) -> None:
        user = get_user_model().objects.filter(username=username, is_staff=True).first()
        if user is None:
            raise CommandError(f"There is no member of staff {username!r}.")
        resets.by_command(user, operator=actors.operator(), at=timezone.now())
        self.stderr.write(f"{username} has no second factor any more. Signing in sets up another.")
