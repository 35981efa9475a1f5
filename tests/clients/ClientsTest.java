// The official Java client, unmodified, against a running service: TAP on standard output.
// Arguments: base URL, URL of an AAD provider, URL of an isolated provider, folder of the sample, folder with rsa.pem,
// rsa.p8, other.pem, other.p8 (certificates, and keys as PKCS #8 in DER).
import com.azure.core.credential.AccessToken;
import com.azure.core.exception.HttpResponseException;
import com.azure.core.http.jdk.httpclient.JdkHttpClientBuilder;
import com.azure.core.http.policy.FixedDelayOptions;
import com.azure.core.http.policy.RetryOptions;
import com.azure.core.util.BinaryData;
import com.azure.security.attestation.AttestationAdministrationClient;
import com.azure.security.attestation.AttestationAdministrationClientBuilder;
import com.azure.security.attestation.AttestationClient;
import com.azure.security.attestation.AttestationClientBuilder;
import com.azure.security.attestation.models.*;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.Map;
import reactor.core.publisher.Mono;

public class ClientsTest {
    static final String PERMIT = "version= 1.0; authorizationrules{=> permit();}; issuancerules{=> issue(type=\"custom-name\", value=\"ours\");};";
    static final String DENY = "version= 1.0; authorizationrules{=> deny();}; issuancerules{};";
    static int count;
    static boolean failed;

    interface Body { void run() throws Exception; }

    static void test(String name, Body body) {
        count++;
        try {
            body.run();
            System.out.println("ok " + count + " - " + name);
        } catch (Throwable t) {
            failed = true;
            System.out.println("not ok " + count + " - " + name);
            System.out.println("# " + String.valueOf(t).replace("\n", "\n# "));
        }
    }

    static void check(boolean good, Object what) {
        if (!good)
            throw new AssertionError(what);
    }

    static void refused(int status, String part, Body body) throws Exception {
        try {
            body.run();
        } catch (HttpResponseException e) {
            check(e.getResponse().getStatusCode() == status && e.getMessage().contains(part), e.getMessage());
            return;
        }
        throw new AssertionError("not refused");
    }

    // The service listens on a free port; its issuers carry that of the configuration.
    static String issuer(String url) {
        return url.replaceFirst(":[0-9]+$", ":8443");
    }

    static RetryOptions once() {
        return new RetryOptions(new FixedDelayOptions(0, Duration.ofMillis(1)));
    }

    static AttestationClient client(String url) {
        return new AttestationClientBuilder().endpoint(url).retryOptions(once()).httpClient(new JdkHttpClientBuilder().build())
            .credential(c -> Mono.just(new AccessToken("dev", OffsetDateTime.now().plusHours(1)))).buildClient();
    }

    static AttestationAdministrationClient admin(String url) {
        return new AttestationAdministrationClientBuilder().endpoint(url).retryOptions(once()).httpClient(new JdkHttpClientBuilder().build())
            .credential(c -> Mono.just(new AccessToken("dev", OffsetDateTime.now().plusHours(1)))).buildClient();
    }

    static X509Certificate certificate(Path p) throws Exception {
        try (InputStream in = Files.newInputStream(p)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    static AttestationSigningKey signer(Path folder, String name) throws Exception {
        return new AttestationSigningKey(certificate(folder.resolve(name + ".pem")), KeyFactory.getInstance("RSA")
            .generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(folder.resolve(name + ".p8"))))).setWeakKeyAllowed(true);
    }

    static void attesting(String kind, String url, byte[] quote, byte[] report, byte[] runtime) {
        AttestationClient c = client(url);
        AttestationData binary = new AttestationData(BinaryData.fromBytes(runtime), AttestationDataInterpretation.BINARY);
        AttestationData json = new AttestationData(BinaryData.fromBytes(runtime), AttestationDataInterpretation.JSON);

        test(kind + ": metadata and signers", () -> {
            check(issuer(url).equals(c.getOpenIdMetadata().getIssuer()), c.getOpenIdMetadata().getIssuer());
            check(!c.listAttestationSigners().getAttestationSigners().isEmpty(), "no signers");
        });
        test(kind + ": attestSgxEnclave, validated by the client", () -> {
            AttestationResult r = c.attestSgxEnclave(BinaryData.fromBytes(quote));
            check(issuer(url).equals(r.getIssuer()) && "sgx".equals(r.getVerifierType()) && r.getSvn() == 2 && !r.isDebuggable(), r.getIssuer());
        });
        test(kind + ": attestOpenEnclave", () -> check(c.attestOpenEnclave(BinaryData.fromBytes(report)).getProductId() == 1, "product id"));
        test(kind + ": runtime data, binary and JSON", () -> {
            AttestationResult b = c.attestSgxEnclave(new AttestationOptions(BinaryData.fromBytes(quote)).setRunTimeData(binary));
            check(java.util.Arrays.equals(b.getEnclaveHeldData().toBytes(), runtime), "held data");
            AttestationResult j = c.attestSgxEnclave(new AttestationOptions(BinaryData.fromBytes(quote)).setRunTimeData(json));
            check(j.getRuntimeClaims() instanceof Map && ((Map<?, ?>) j.getRuntimeClaims()).containsKey("greeting"), j.getRuntimeClaims());
        });
        test(kind + ": draft policies", () -> {
            AttestationOptions o = new AttestationOptions(BinaryData.fromBytes(quote)).setDraftPolicyForAttestation(PERMIT)
                .setValidationOptions(new AttestationTokenValidationOptions().setValidateToken(false));
            check(String.valueOf(c.attestSgxEnclave(o).getPolicyClaims()).contains("ours"), "policy claims");
            refused(400, "Deny", () -> c.attestSgxEnclave(new AttestationOptions(BinaryData.fromBytes(quote)).setDraftPolicyForAttestation(DENY)));
        });
        test(kind + ": damaged quote", () -> {
            byte[] bent = quote.clone();
            bent[100] ^= 1;
            refused(400, "quote signature", () -> c.attestSgxEnclave(BinaryData.fromBytes(bent)));
        });
    }

    public static void main(String[] a) throws Exception {
        Path sample = Path.of(a[3]), keys = Path.of(a[4]);
        byte[] quote = Files.readAllBytes(sample.resolve("quote.bin")), runtime = Files.readAllBytes(sample.resolve("runtime-data.json"));
        byte[] report = ByteBuffer.allocate(16 + quote.length).order(ByteOrder.LITTLE_ENDIAN).putInt(1).putInt(2).putLong(quote.length).put(quote).array();
        AttestationSigningKey own = signer(keys, "rsa"), other = signer(keys, "other");
        AttestationAdministrationClient aad = admin(a[1]), isolated = admin(a[2]);

        attesting("shared", a[0], quote, report, runtime);
        attesting("AAD", a[1], quote, report, runtime);
        attesting("isolated", a[2], quote, report, runtime);
        test("AAD: policy set, get, reset, unsigned and signed", () -> {
            check(PolicyModification.UPDATED.equals(aad.setAttestationPolicy(AttestationType.SGX_ENCLAVE, PERMIT).getPolicyResolution()), "set");
            check(PERMIT.equals(aad.getAttestationPolicy(AttestationType.SGX_ENCLAVE)), "get");
            PolicyResult r = aad.setAttestationPolicy(AttestationType.SGX_ENCLAVE, new AttestationPolicySetOptions().setAttestationPolicy(PERMIT).setAttestationSigner(other));
            check(r.getPolicySigner() != null && java.util.Arrays.equals(r.getPolicyTokenHash().toBytes(), aad.calculatePolicyTokenHash(PERMIT, other).toBytes()), "signed set");
            check(PolicyModification.REMOVED.equals(aad.resetAttestationPolicy(AttestationType.SGX_ENCLAVE).getPolicyResolution()), "reset");
        });
        test("isolated: only the provider's signers may set policies", () -> {
            AttestationPolicySetOptions by = new AttestationPolicySetOptions().setAttestationPolicy(PERMIT);
            check(PolicyModification.UPDATED.equals(isolated.setAttestationPolicy(AttestationType.OPEN_ENCLAVE, by.setAttestationSigner(own)).getPolicyResolution()), "own");
            refused(400, "signed", () -> isolated.setAttestationPolicy(AttestationType.OPEN_ENCLAVE, by.setAttestationSigner(other)));
            refused(400, "Unsigned", () -> isolated.setAttestationPolicy(AttestationType.OPEN_ENCLAVE, PERMIT));
        });
        test("isolated: certificates add, list, remove", () -> {
            check(isolated.listPolicyManagementCertificates().getAttestationSigners().size() == 1, "one");
            PolicyManagementCertificateOptions o = new PolicyManagementCertificateOptions(other.getCertificate(), own);
            check(CertificateModification.IS_PRESENT.equals(isolated.addPolicyManagementCertificate(o).getCertificateResolution()), "add");
            check(isolated.listPolicyManagementCertificates().getAttestationSigners().size() == 2, "two");
            check(CertificateModification.IS_ABSENT.equals(isolated.deletePolicyManagementCertificate(o).getCertificateResolution()), "remove");
        });
        test("shared: policy is read, not written", () -> {
            check(admin(a[0]).getAttestationPolicy(AttestationType.SGX_ENCLAVE).contains("authorizationrules"), "default policy");
            refused(401, "Unauthorized", () -> admin(a[0]).setAttestationPolicy(AttestationType.SGX_ENCLAVE, PERMIT));
        });
        System.out.println("1.." + count);
        System.exit(failed ? 1 : 0);
    }
}
