import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.PaymentsApi;
import org.openapitools.client.api.ReviewApi;
import org.openapitools.client.api.StatisticsApi;
import org.openapitools.client.model.ApprovalReason;
import org.openapitools.client.model.ApproveBody;
import org.openapitools.client.model.DayList;
import org.openapitools.client.model.Method;
import org.openapitools.client.model.PaymentPage;
import org.openapitools.client.model.PaymentView;
import org.openapitools.client.model.ProblemDetails;
import org.openapitools.client.model.RefundBody;
import org.openapitools.client.model.RefundReason;
import org.openapitools.client.model.RefundedPayment;
import org.openapitools.client.model.Status;
import org.openapitools.client.model.SubmitBody;

/** A merchant's back end on the generated client, with amounts that exceed 32 bits. */
final class Merchant {
  private static final long AMOUNT = 3_000_000_000L;
  private static final long REFUND = 2_500_000_000L;

  private final PaymentsApi payments;
  private final ReviewApi reviews;
  private final StatisticsApi statistics;

  private Merchant(String url, String key) {
    ApiClient client = new ApiClient();
    client.updateBaseUri(url);
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + key));
    payments = new PaymentsApi(client);
    reviews = new ReviewApi(client);
    statistics = new StatisticsApi(client);
  }

  public static void main(String[] arguments) throws Exception {
    Merchant first = new Merchant(arguments[0], arguments[1]);
    Merchant second = new Merchant(arguments[0], arguments[2]);
    PaymentView payment = first.submits();
    first.approves(payment);
    PaymentView approved = second.approves(first.readsVersion(payment, 3));
    same("status", approved.getStatus(), Status.COMPLETED.getValue());
    PaymentView refunded = first.refunds(approved);
    first.lists(refunded);
    first.sums(refunded);
    takesWhatCameLater(refunded);
  }

  private PaymentView submits() throws ApiException {
    SubmitBody body =
        new SubmitBody()
            .amount(AMOUNT)
            .currency("IDR")
            .method(Method.WALLET)
            .customerId("customer-java")
            .reference("order-java");
    var request =
        PaymentsApi.APISubmitPaymentRequest.newBuilder()
            .idempotencyKey("java-1")
            .submitBody(body)
            .build();
    PaymentView submitted = payments.submitPayment(request);
    same("status", submitted.getStatus(), "pending_review");
    same("amount", submitted.getAmount(), AMOUNT);
    same("repeated", payments.submitPayment(request), submitted);
    PaymentView read =
        payments.readPayment(
            PaymentsApi.APIReadPaymentRequest.newBuilder().paymentId(submitted.getId()).build());
    same("read", read.getAmount(), AMOUNT);
    same("reference", read.getReference(), "order-java");
    return submitted;
  }

  private PaymentView readsVersion(PaymentView payment, long version) throws ApiException {
    return payments.readPaymentState(
        PaymentsApi.APIReadPaymentStateRequest.newBuilder()
            .paymentId(payment.getId())
            .version(version)
            .build());
  }

  private PaymentView approves(PaymentView payment) throws ApiException {
    ApproveBody why =
        new ApproveBody().reason(ApprovalReason.KNOWN_CUSTOMER).note("Called back.");
    return reviews.approvePayment(
        ReviewApi.APIApprovePaymentRequest.newBuilder()
            .paymentId(payment.getId())
            .idempotencyKey("java-approve-" + payment.getVersion())
            .ifMatch("\"" + payment.getVersion() + "\"")
            .approveBody(why)
            .build());
  }

  private PaymentView refunds(PaymentView payment) throws ApiException, JsonProcessingException {
    RefundBody body =
        new RefundBody().reason(RefundReason.OTHER).amount(AMOUNT + 1).currency("IDR");
    try {
      refund(payment, "java-refund-1", body);
      throw new AssertionError("More than the payment was given back");
    } catch (ApiException refused) {
      ProblemDetails problem =
          ApiClient.createDefaultObjectMapper()
              .readValue(refused.getResponseBody(), ProblemDetails.class);
      same("code", problem.getCode(), "refund_too_large");
      same("status", problem.getStatus(), refused.getCode());
      same("refundable", problem.getRefundable(), AMOUNT);
    }
    body.amount(REFUND);
    RefundedPayment refunded = refund(payment, "java-refund-2", body);
    same("refunded", refunded.getRefundedAmount(), REFUND);
    same("status", refunded.getStatus(), "partially_refunded");
    same("refund", refunded.getRefund().getAmount(), REFUND);
    return readsVersion(payment, refunded.getVersion());
  }

  private RefundedPayment refund(PaymentView payment, String key, RefundBody body)
      throws ApiException {
    return payments.refundPayment(
        PaymentsApi.APIRefundPaymentRequest.newBuilder()
            .paymentId(payment.getId())
            .idempotencyKey(key)
            .refundBody(body)
            .build());
  }

  private void lists(PaymentView payment) throws Exception {
    List<Status> any = List.of(Status.PARTIALLY_REFUNDED, Status.REFUNDED);
    var question =
        PaymentsApi.APIListPaymentsRequest.newBuilder()
            .method(Method.WALLET)
            .currency("IDR")
            .customerId("customer-java")
            .amountMin(AMOUNT)
            .amountMax(AMOUNT)
            .status(any)
            .xMinPosition(payment.getPosition())
            .build();
    PaymentPage page = seen(() -> payments.listPayments(question));
    same("listed", page.getPayments(), List.of(payment));
    Long refunded =
        payments
            .readPaymentEvents(
                PaymentsApi.APIReadPaymentEventsRequest.newBuilder()
                    .paymentId(payment.getId())
                    .build())
            .getEvents()
            .stream()
            .map(event -> event.getData().getRefunded())
            .filter(Objects::nonNull)
            .findFirst()
            .orElseThrow();
    same("refunded, as the events have it", refunded, REFUND);
  }

  private void sums(PaymentView payment) throws Exception {
    var question =
        StatisticsApi.APIReadDailyStatisticsRequest.newBuilder()
            .date(payment.getCreatedAt().toLocalDate())
            .currency("IDR")
            .xMinPosition(payment.getPosition())
            .build();
    DayList found = seen(() -> statistics.readDailyStatistics(question));
    same("volume", found.getDays().get(0).getTotalVolume(), AMOUNT);
  }

  /** The client accepts a status that was added after it was generated. */
  private static void takesWhatCameLater(PaymentView payment) throws JsonProcessingException {
    var mapper = ApiClient.createDefaultObjectMapper();
    String later =
        mapper.writeValueAsString(payment).replace("partially_refunded", "disputed_by_bank");
    same("status", mapper.readValue(later, PaymentView.class).getStatus(), "disputed_by_bank");
  }

  /** Repeat the request while the read model is behind. */
  private static <T> T seen(Callable<T> ask) throws Exception {
    for (int attempt = 0; attempt < 200; attempt++) {
      try {
        return ask.call();
      } catch (ApiException refused) {
        if (refused.getCode() != 503) {
          throw refused;
        }
      }
    }
    throw new AssertionError("The read model never caught up");
  }

  private static void same(String what, Object found, Object expected) {
    if (!Objects.equals(found, expected)) {
      throw new AssertionError(what + ": found " + found + ", expected " + expected);
    }
  }
}
