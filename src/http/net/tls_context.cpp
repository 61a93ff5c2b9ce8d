#include "http/net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <ctime>
#include <mutex>
#include <string_view>

#include "core/codes.hpp"

namespace soma::http {
namespace {

constexpr const char* tls12_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr unsigned char only_http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr unsigned char session_scope[] = "soma";

// What the library says of its last failure, and an empty queue for the next.
std::string why() {
  const auto code = ERR_peek_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  std::string text = reason ? reason : "it cannot be read";
  ERR_clear_error();
  return text;
}

error invalid(const std::string& key, const std::string& path) {
  return error(codes::config_invalid, key + ": " + path + ": " + why());
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_bytes,
                    const unsigned char* in, unsigned in_bytes, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_bytes, only_http11, sizeof only_http11, in, in_bytes) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

struct made_context {
  std::shared_ptr<SSL_CTX> context;
  std::int64_t ends_at = 0;
};

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm utc{};
  return time && ASN1_TIME_to_tm(time, &utc) == 1 ? static_cast<std::int64_t>(timegm(&utc)) : 0;
}

result<made_context> make(const tls_files& files) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> ctx(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!ctx) return error(codes::internal, "TLS: " + why());
  SSL_CTX_set_min_proto_version(ctx.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(ctx.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
  // A connection that is silent keeps no buffers.
  SSL_CTX_set_mode(ctx.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);  // clients keep their tickets
  SSL_CTX_set_session_id_context(ctx.get(), session_scope, sizeof session_scope - 1);
  SSL_CTX_set_alpn_select_cb(ctx.get(), choose_protocol, nullptr);
  if (SSL_CTX_set_cipher_list(ctx.get(), tls12_ciphers) != 1 ||
      SSL_CTX_set1_groups_list(ctx.get(), groups) != 1)
    return error(codes::internal, "TLS: " + why());
  if (SSL_CTX_use_certificate_chain_file(ctx.get(), files.certificate.c_str()) != 1)
    return invalid("server.tls_cert_file", files.certificate);
  if (SSL_CTX_use_PrivateKey_file(ctx.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return invalid("server.tls_key_file", files.key);
  if (SSL_CTX_check_private_key(ctx.get()) != 1) return invalid("server.tls_key_file", files.key);
  if (!files.client_authority.empty()) {
    if (SSL_CTX_load_verify_file(ctx.get(), files.client_authority.c_str()) != 1)
      return invalid("server.tls_client_ca_file", files.client_authority);
    auto* names = SSL_load_client_CA_file(files.client_authority.c_str());
    if (!names) return invalid("server.tls_client_ca_file", files.client_authority);
    SSL_CTX_set_client_CA_list(ctx.get(), names);
    // Asked for, and looked at where it is needed: browsers have none.
    SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER, nullptr);
  }
  return made_context{ctx, seconds_of(X509_get0_notAfter(SSL_CTX_get0_certificate(ctx.get())))};
}

}  // namespace

result<std::shared_ptr<SSL_CTX>> make_node_client(const tls_files& files) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> ctx(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!ctx) return error(codes::internal, "TLS: " + why());
  SSL_CTX_set_min_proto_version(ctx.get(), TLS1_3_VERSION);
  SSL_CTX_set_mode(ctx.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
  if (SSL_CTX_use_certificate_chain_file(ctx.get(), files.certificate.c_str()) != 1)
    return invalid("cluster.tls_dir", files.certificate);
  if (SSL_CTX_use_PrivateKey_file(ctx.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(ctx.get()) != 1)
    return invalid("cluster.tls_dir", files.key);
  if (SSL_CTX_load_verify_file(ctx.get(), files.client_authority.c_str()) != 1)
    return invalid("cluster.tls_dir", files.client_authority);
  SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER, nullptr);
  return ctx;
}

tls_context::stamp tls_context::look_at(const std::string& path) {
  struct stat said {};
  if (path.empty() || ::stat(path.c_str(), &said) != 0) return {};
  return {said.st_size, said.st_mtim.tv_sec * 1'000'000'000 + said.st_mtim.tv_nsec, said.st_ino};
}

tls_context::stamps tls_context::look() const {
  return {look_at(files_.certificate), look_at(files_.key), look_at(files_.client_authority)};
}

result<std::unique_ptr<tls_context>> tls_context::open(tls_files files) {
  if (files.certificate.empty() || files.key.empty())
    return error(codes::config_invalid,
                 "server.tls_cert_file and server.tls_key_file need one another");
  std::unique_ptr<tls_context> opened(new tls_context(std::move(files)));
  auto first = opened->follow_files(true);
  if (!first) return first.error();
  return opened;
}

std::shared_ptr<SSL_CTX> tls_context::current() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

std::int64_t tls_context::ends_at() const {
  const std::lock_guard lock(mutex_);
  return ends_at_;
}

result<bool> tls_context::follow_files(bool now) {
  const auto seen = look();
  if (!now && seen == seen_) return false;
  seen_ = seen;
  auto made = make(files_);
  if (!made) return made.error();
  const std::lock_guard lock(mutex_);
  context_ = std::move(made->context);
  ends_at_ = made->ends_at;
  return true;
}

}  // namespace soma::http
