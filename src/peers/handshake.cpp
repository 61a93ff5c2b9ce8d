#include "peers/handshake.hpp"

#include "security/digest.hpp"

namespace soma::peers {
namespace {

constexpr std::size_t nonce_bytes = 16, reason_bytes_max = 500;

// Every part with its length, so that no two say the same in other pieces.
std::string said_by(side of, const hello& what, const std::string& first,
                    const std::string& second) {
  std::string out = of == side::asks ? "soma hello v2 asks" : "soma hello v2 answers";
  const auto add = [&out](std::string_view part) {
    out.append("\n").append(std::to_string(part.size())).append(":").append(part);
  };
  for (const auto& part : {first, second, what.cluster, what.node, what.version, what.http})
    add(part);
  for (const std::uint64_t number :
       {std::uint64_t{what.protocol}, what.incarnation, std::uint64_t{what.partitions},
        std::uint64_t{what.format}, std::uint64_t{what.roles.size()}})
    add(std::to_string(number));
  for (const auto& role : what.roles) add(role);
  return out;
}

std::string sealed(const std::string& secret, const std::string& text) {
  return security::hex(security::bytes_of(security::hmac_sha256(secret, text)));
}

}  // namespace

std::string new_nonce() {
  return security::hex(security::random_bytes(nonce_bytes));
}

proof prove(const identity& secrets, side of, const hello& what, const std::string& first,
            const std::string& second) {
  const auto text = said_by(of, what, first, second);
  return {second,
          sealed(secrets.server_key, text),
          sealed(secrets.enc_key, text),
          sealed(secrets.internal_token, text),
          {}};
}

std::optional<std::string> disproved(const identity& secrets, side of, const hello& what,
                                     const std::string& first, const std::string& second,
                                     const proof& shown) {
  const auto right = prove(secrets, of, what, first, second);
  if (!security::constant_time_equal(shown.server_key, right.server_key))
    return "its server key is another";
  if (!security::constant_time_equal(shown.enc_key, right.enc_key))
    return "its GATEWAY_ENC_KEY is another";
  if (!security::constant_time_equal(shown.internal_token, right.internal_token))
    return "its GATEWAY_INTERNAL_TOKEN is another";
  return std::nullopt;
}

std::optional<std::string> disproved_answer(const identity& secrets, const hello& said,
                                            const std::string& asked) {
  const proof shown{said.nonce, said.server_key, said.enc_key, said.internal_token, {}};
  return disproved(secrets, side::answers, said, asked, said.nonce, shown);
}

std::optional<std::string> is_of_another(const identity& mine, std::uint32_t partitions,
                                         std::uint64_t incarnation, const hello& of) {
  if (of.protocol != protocol_version)
    return "it speaks version " + std::to_string(of.protocol) + " of the protocol, this node " +
           std::to_string(protocol_version);
  if (of.cluster != mine.cluster) return "it is of the cluster '" + of.cluster + "'";
  if (of.partitions != partitions)
    return "its cluster has " + std::to_string(of.partitions) + " partitions, this one " +
           std::to_string(partitions);
  if (of.node == mine.node && of.incarnation != incarnation)
    return "it has the name of this node, " + mine.node;
  return std::nullopt;
}

hello greetings::answer(const identity& secrets, hello mine, const hello& said,
                        caf::strong_actor_ptr who, std::int64_t now_ms) {
  auto shown = prove(secrets, side::answers, mine, said.nonce, mine.nonce);
  mine.server_key = std::move(shown.server_key);
  mine.enc_key = std::move(shown.enc_key);
  mine.internal_token = std::move(shown.internal_token);
  std::erase_if(all_, [&](const auto& one) { return now_ms - one.second.at_ms > kept_ms; });
  if (all_.size() >= greeted_max) all_.erase(all_.begin());
  all_[mine.nonce] = {said, std::move(who), now_ms};
  return mine;
}

std::optional<std::pair<hello, std::optional<std::string>>> greetings::take(
    const identity& secrets, const proof& shown, const caf::strong_actor_ptr& who) {
  const auto at = all_.find(shown.nonce);
  if (at == all_.end() || at->second.who != who) return std::nullopt;
  auto said = std::move(at->second.said);
  all_.erase(at);
  if (!shown.refused.empty())
    return std::pair(std::move(said), std::optional(shown.refused.substr(0, reason_bytes_max)));
  auto why = disproved(secrets, side::asks, said, said.nonce, shown.nonce, shown);
  return std::pair(std::move(said), std::move(why));
}

}  // namespace soma::peers
