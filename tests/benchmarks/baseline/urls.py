"""The service's URLs, and two baseline creates: a bare one, and one with a token and a throttle."""

from django.urls import path
from rest_framework.authentication import TokenAuthentication
from rest_framework.generics import CreateAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.serializers import ModelSerializer
from rest_framework.throttling import UserRateThrottle

from config.urls import urlpatterns as service
from tests.benchmarks.baseline.models import RowPayment


class RowPaymentSerializer(ModelSerializer[RowPayment]):
    class Meta:
        model = RowPayment
        fields = ("id", "amount", "currency", "method", "customer_id", "status", "created_at")


class Bare(CreateAPIView[RowPayment]):
    queryset = RowPayment.objects.all()
    serializer_class = RowPaymentSerializer
    authentication_classes = []
    permission_classes = []
    throttle_classes = []


class Guarded(Bare):
    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]
    throttle_classes = [UserRateThrottle]


# The API is first, as in the service.
urlpatterns = [
    *service[:1],
    path("baseline/bare", Bare.as_view()),
    path("baseline/guarded", Guarded.as_view()),
    *service[1:],
]
