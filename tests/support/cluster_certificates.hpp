// What docs/cluster-certificates.sh makes for one node: ca.pem, node.pem and node.key in a folder
// of a test, by an authority of their own.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace soma::testing {

inline void make_cluster_certificates(const std::string& folder) {
  const auto run = [&](const std::string& what) {
    const auto line = "cd " + folder + " && openssl " + what + " >openssl.log 2>&1";
    if (std::system(line.c_str()) != 0) throw std::runtime_error("openssl " + what);
  };
  run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=cluster"
      " -keyout ca.key -out ca.pem");
  run("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=node"
      " -keyout node.key -out node.csr");
  run("x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out node.pem");
}

}  // namespace soma::testing
