// The key that signs heads of the audit's chain: Ed25519, made at the first start. Whoever has the
// public one can check what was signed; whoever has the private one and the disk could write
// another past, so heads are kept elsewhere, too (docs/audit.md).
//
// Immutable; thread-safe. `load` and `make` block on the disk, at start.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::security {

class audit_key {
 public:
  // <data_dir>/secret/audit.key, PEM, mode 0600.
  static std::string file_in(const std::string& data_dir);
  static bool is_in(const std::string& data_dir);
  // Errors: config.invalid where it is no such key or others may read it, storage.unavailable.
  static result<audit_key> load(const std::string& data_dir);
  // The file appears whole or not at all. Errors: storage.unavailable; it must not be there.
  static result<audit_key> make(const std::string& data_dir);

  std::string sign(std::string_view text) const;  // in base64

  // The public key: base64 of its SubjectPublicKeyInfo, which is what stands in a PEM file.
  const std::string& public_text() const { return public_text_; }
  const std::string& id() const { return id_; }

 private:
  using held = std::shared_ptr<void>;  // an EVP_PKEY
  audit_key(held key, std::string public_text);

  held key_;
  std::string public_text_, id_;
};

// 16 hexadecimal digits: the beginning of the SHA-256 of the public key's bytes. Empty of no key.
std::string audit_key_id(std::string_view public_text);
std::string audit_key_pem(std::string_view public_text);
// What stands in a PEM file; empty where it is none.
std::string public_text_of_pem(std::string_view pem);

// Whether `signature` (base64) over `text` is by that key.
bool is_signed_by(std::string_view public_text, std::string_view text, std::string_view signature);

}  // namespace soma::security
