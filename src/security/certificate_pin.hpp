// What a server is known by where its certificate's names are those of the outside. Reads a file;
// thread-safe.
#pragma once

#include <string>

namespace soma::security {

// "sha256//" and the hash, in base64, of the public key of the first certificate in a PEM file: as
// libcurl takes it (and HPKP did, RFC 7469). Of a file that cannot be read, a pin that no server
// has.
std::string certificate_pin(const std::string& pem_file);

}  // namespace soma::security
