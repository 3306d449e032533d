"""Sessions, users, CSRF tokens and messages: for browsers only, since API clients send a key instead."""

from collections.abc import Awaitable

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware import csrf
from django.utils.deprecation import MiddlewareMixin

from config.http import outages


class _PassedByTheApi(MiddlewareMixin):
    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if request.path_info.startswith("/api/"):
            return self.get_response(request)
        return super().__call__(request)


class SessionMiddleware(_PassedByTheApi, sessions.SessionMiddleware):
    """Django's middleware. A session that cannot be stored is answered like any other outage."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        try:
            return super().process_response(request, response)
        except DatabaseError as error:
            answer = outages.page(request, error)
            if answer is None:
                raise
            return answer


class CsrfViewMiddleware(_PassedByTheApi, csrf.CsrfViewMiddleware): ...


class AuthenticationMiddleware(_PassedByTheApi, auth.AuthenticationMiddleware): ...


class MessageMiddleware(_PassedByTheApi, messages.MessageMiddleware): ...
