#include "security/audit/audit_key.hpp"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "core/secret.hpp"
#include "observability/line_writer.hpp"
#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::size_t file_bytes_max = 4096;
constexpr std::string_view pem_begin = "-----BEGIN PUBLIC KEY-----\n",
                           pem_end = "\n-----END PUBLIC KEY-----\n";

error failed(const std::string& path) {
  return {codes::storage_unavailable, path + ": " + std::generic_category().message(errno)};
}

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), raw(bytes),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

// Exactly what base64() writes; empty of anything else.
std::string bytes_of_base64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > file_bytes_max) return {};
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), raw(text),
                                   static_cast<int>(text.size()));
  if (size < 0) return {};
  for (auto end = text.size(); end > 0 && text[end - 1] == '=' && !out.empty(); --end)
    out.pop_back();
  return base64(out) == text ? out : std::string();
}

using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using context_ptr = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using bio_ptr = std::unique_ptr<BIO, decltype(&BIO_free)>;

key_ptr public_key_of(std::string_view public_text) {
  const auto bytes = bytes_of_base64(public_text);
  const unsigned char* at = raw(bytes);
  key_ptr key(bytes.empty() ? nullptr : d2i_PUBKEY(nullptr, &at, static_cast<long>(bytes.size())),
              EVP_PKEY_free);
  if (key && EVP_PKEY_id(key.get()) != EVP_PKEY_ED25519) key.reset();
  return key;
}

std::string public_text_of(EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(key, &bytes);
  if (size <= 0) std::abort();
  const std::string text =
      base64({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
  OPENSSL_free(bytes);
  return text;
}

secret_string pem_of(EVP_PKEY* key) {
  const bio_ptr out(BIO_new(BIO_s_mem()), BIO_free);
  if (!out ||
      PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    std::abort();
  char* at = nullptr;
  const long size = BIO_get_mem_data(out.get(), &at);
  std::string text(at, static_cast<std::size_t>(size));
  wipe(at, static_cast<std::size_t>(size));
  return secret_string(std::move(text));
}

struct descriptor {
  int fd;
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

audit_key::audit_key(held key, std::string public_text)
    : key_(std::move(key)), public_text_(std::move(public_text)), id_(audit_key_id(public_text_)) {}

std::string audit_key::file_in(const std::string& data_dir) {
  return data_dir + "/secret/audit.key";
}

bool audit_key::is_in(const std::string& data_dir) {
  struct stat info {};
  return ::lstat(file_in(data_dir).c_str(), &info) == 0 || errno != ENOENT;
}

result<audit_key> audit_key::load(const std::string& data_dir) {
  const auto path = file_in(data_dir);
  const descriptor file{open_without_waiting(path.c_str(), O_RDONLY | O_NOFOLLOW)};
  struct stat info {};
  if (file.fd < 0 || ::fstat(file.fd, &info) != 0) return failed(path);
  if (!S_ISREG(info.st_mode)) return error(codes::config_invalid, path + ": is not a file");
  if ((info.st_mode & 077) != 0)
    return error(codes::config_invalid, path + ": others may read it; chmod 600 it");
  std::string pem(file_bytes_max, '\0');
  const auto n = ::read(file.fd, pem.data(), pem.size());
  if (n < 0) return failed(path);
  const secret_string text(pem.substr(0, static_cast<std::size_t>(n)));
  wipe(pem);
  const bio_ptr in(BIO_new_mem_buf(text.reveal().data(), static_cast<int>(text.reveal().size())),
                   BIO_free);
  held key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr),
           [](void* p) { EVP_PKEY_free(static_cast<EVP_PKEY*>(p)); });
  if (!key || EVP_PKEY_id(static_cast<EVP_PKEY*>(key.get())) != EVP_PKEY_ED25519)
    return error(codes::config_invalid, path + ": is no Ed25519 key");
  auto shown = public_text_of(static_cast<EVP_PKEY*>(key.get()));
  return audit_key(std::move(key), std::move(shown));
}

result<audit_key> audit_key::make(const std::string& data_dir) {
  const auto folder = data_dir + "/secret", path = file_in(data_dir);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed(folder);
  {
    const key_ptr fresh(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
    if (!fresh) return error(codes::storage_unavailable, "no Ed25519 key can be made");
    const auto pem = pem_of(fresh.get());
    const auto beside = path + "." + hex(random_bytes(8));
    const descriptor file{
        ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (file.fd < 0) return failed(beside);
    std::size_t written = 0;
    // A hard link refuses to take the place of one that is there.
    const bool kept = write_all(file.fd, pem.reveal(), written) && ::fsync(file.fd) == 0 &&
                      ::link(beside.c_str(), path.c_str()) == 0;
    const auto why = failed(path);
    ::unlink(beside.c_str());
    if (!kept) return why;
  }
  const descriptor dir{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (dir.fd < 0 || ::fsync(dir.fd) != 0) return failed(folder);
  return load(data_dir);
}

std::string audit_key::sign(std::string_view text) const {
  const context_ptr context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  unsigned char out[64];
  std::size_t size = sizeof out;
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr,
                         static_cast<EVP_PKEY*>(key_.get())) != 1 ||
      EVP_DigestSign(context.get(), out, &size, raw(text), text.size()) != 1)
    std::abort();
  return base64({reinterpret_cast<const char*>(out), size});
}

std::string audit_key_id(std::string_view public_text) {
  const auto bytes = bytes_of_base64(public_text);
  return bytes.empty() ? std::string() : hex(bytes_of(sha256(bytes))).substr(0, 16);
}

std::string audit_key_pem(std::string_view public_text) {
  return std::string(pem_begin).append(public_text).append(pem_end);
}

std::string public_text_of_pem(std::string_view pem) {
  if (pem.size() > file_bytes_max) return {};
  const bio_ptr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const key_ptr key(PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  return key && EVP_PKEY_id(key.get()) == EVP_PKEY_ED25519 ? public_text_of(key.get())
                                                           : std::string();
}

bool is_signed_by(std::string_view public_text, std::string_view text, std::string_view signature) {
  const auto key = public_key_of(public_text);
  const auto bytes = bytes_of_base64(signature);
  const context_ptr context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return key && context && !bytes.empty() &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), raw(bytes), bytes.size(), raw(text), text.size()) == 1;
}

}  // namespace soma::security
