// TLS: who is trusted, with a certificate made for the test.
#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "llm/collector.hpp"
#include "llm/scripted_server.hpp"

using namespace soma;
using test::peer;
using test::scripted_server;

namespace {

template <auto Free>
struct freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freed<X509_free>>;
using context_ptr = std::unique_ptr<SSL_CTX, freed<SSL_CTX_free>>;

void add_name(X509* certificate, const char* alternative_name) {
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_name);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// A self-signed server certificate, its PEM in a file that lives as long as this.
struct identity {
  explicit identity(const char* alternative_name)
      : key(EVP_EC_gen("P-256")),
        certificate(X509_new()),
        context(SSL_CTX_new(TLS_server_method())) {
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    auto* name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    add_name(certificate.get(), alternative_name);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    SSL_CTX_use_certificate(context.get(), certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), key.get());
    const int fd = ::mkstemp(path);
    FILE* file = ::fdopen(fd, "w");
    PEM_write_X509(file, certificate.get());
    std::fclose(file);
  }
  ~identity() { ::unlink(path); }

  key_ptr key;
  certificate_ptr certificate;
  context_ptr context;
  char path[32] = "/tmp/soma-llm-test-XXXXXX";
};

const std::string document =
    R"({"choices":[{"message":{"content":"safe"},"finish_reason":"stop"}]})";

void answer(peer& p) {
  while (!p.read_request().empty())
    p.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(document.size()) + "\r\n\r\n" +
            document);
}

llm::stream_end ask(llm::llm_client& client, const std::string& base_url) {
  llm::call c;
  c.target.base_url = base_url;
  c.messages.push_back({"user", "hello", {}, {}});
  test::collector got;
  const auto handle = client.start(std::move(c), got.sink());
  return got.end();
}

}  // namespace

TEST_CASE("tls: a certificate nobody vouches for is refused") {
  identity self("DNS:localhost");
  scripted_server server({answer}, self.context.get());
  const auto client = llm::make_provider_client({});
  const auto end = ask(*client, server.base_url());
  REQUIRE(end.error);
  CHECK(end.error->code == "llm.unreachable");
  CHECK(end.error->detail.find("TLS") != std::string::npos);
}

TEST_CASE("tls: a certificate of the given CA file is trusted, and its connection kept") {
  identity self("DNS:localhost");
  scripted_server server({answer}, self.context.get());
  llm::client_options options;
  options.ca_file = self.path;
  const auto client = llm::make_provider_client(options);
  for (int i = 0; i < 3; ++i) CHECK(!ask(*client, server.base_url()).error);
  CHECK(server.connections() == 1);
}

TEST_CASE("tls: a new connection takes up the session of the one before") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    identity self("DNS:localhost");
    SSL_CTX_set_min_proto_version(self.context.get(), version);
    SSL_CTX_set_max_proto_version(self.context.get(), version);
    const unsigned char id[] = "test";
    SSL_CTX_set_session_id_context(self.context.get(), id, sizeof id);
    scripted_server server({[](peer& p) {  // one answer a connection
                             p.read_request();
                             p.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + document);
                           }},
                           self.context.get());
    llm::client_options options;
    options.ca_file = self.path;
    const auto client = llm::make_provider_client(options);
    for (int i = 0; i < 3; ++i) CHECK(!ask(*client, server.base_url()).error);
    CHECK(server.connections() == 3);
    CHECK(SSL_CTX_sess_hits(self.context.get()) == 2);
  }
}

TEST_CASE("tls: a trusted certificate for another name is refused") {
  identity self("DNS:elsewhere.example");
  scripted_server server({answer}, self.context.get());
  llm::client_options options;
  options.ca_file = self.path;
  const auto client = llm::make_provider_client(options);
  CHECK(ask(*client, server.base_url()).error->code == "llm.unreachable");
  options.verify_tls = false;
  const auto careless = llm::make_provider_client(options);
  CHECK(!ask(*careless, server.base_url()).error);
}

TEST_CASE("tls: a CA file that cannot be read stops TLS calls and says so") {
  llm::client_options options;
  options.ca_file = "/nonexistent.pem";
  const auto client = llm::make_provider_client(options);
  const auto end = ask(*client, "https://localhost:1");
  REQUIRE(end.error);
  CHECK(end.error->code == "llm.unreachable");
  CHECK(!end.error->retryable);
}
