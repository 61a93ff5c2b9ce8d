#include "outbound/audit_envelope.hpp"

#include <doctest/doctest.h>

#include <string>

#include "security/audit/audit_chain.hpp"

using namespace soma;
using namespace soma::outbound;

namespace {

const std::string members =
    R"("at":"2026-11-30T16:04:05.127Z","what":"conversation.send",)"
    R"("who":{"tenant_id":"default","user_id":"ann","role":"user"},"request_id":"r-1",)"
    R"("trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","session_id":"s")";

}  // namespace

TEST_CASE("audit envelope: has the chain's line byte for byte") {
  security::audit_place place;
  const auto line = security::audit_chained(place, members);
  const auto out = audit_envelope_of("chain", 1, line);
  CHECK(out.headers.request_id == "r-1");
  CHECK(out.headers.idempotency_key == "chain/1");
  CHECK(
      out.value ==
      R"({"version":"v1","meta":{"request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",)"
      R"("idempotency_key":"chain/1","tenant_id":"default","user_id":"ann","session_id":"s",)"
      R"("created_at":"2026-11-30T16:04:05.127Z"},"type":"audit.record","payload":)" +
          line + "}");
}

TEST_CASE("audit envelope: a line that is too long is there by its hash") {
  security::audit_place place;
  const auto line = security::audit_chained(
      place, members + ",\"diff\":\"" + std::string(audit_record_bytes_max, 'x') + "\"");
  const auto out = audit_envelope_of("chain", 1, line);
  CHECK(out.value.size() < 2000);
  CHECK(out.value.find("\"hash\":\"" + place.hash + "\",\"left_out\":true}}") != out.value.npos);
}
