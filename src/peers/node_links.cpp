#include "peers/node_links.hpp"

#include <algorithm>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/thread_hook.hpp>
#include <chrono>
#include <filesystem>
#include <mutex>

#include "core/codes.hpp"
#include "core/loopback.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "observability/log.hpp"
#include "peers/hub.hpp"
#include "security/digest.hpp"

namespace soma::peers {
namespace {

error invalid(std::string key, const std::string& why) {
  return error(codes::config_invalid, std::move(key) + ": " + why);
}

// Grows from one process of a node to the next, and no two have the same.
std::uint64_t new_incarnation() {
  return static_cast<std::uint64_t>(now_ms()) << incarnation_random_bits |
         random_u64() >> (64 - incarnation_random_bits);
}

struct system_config : caf::actor_system_config {
  system_config() {
    add_message_types<caf::id_block::soma_peers>();
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{2});
    // A link whose other end hangs is noticed by our own heartbeats; this lets go of its socket.
    set("middleman.heartbeat-interval", caf::timespan(std::chrono::seconds(1)));
    set("middleman.connection-timeout", caf::timespan(std::chrono::seconds(10)));
    set("middleman.enable-automatic-connections", false);
    load<caf::io::middleman>();
  }
};

class links final : public node_links {
 public:
  links(link_options options, cluster::partition_host& host, std::vector<endpoint> peers)
      : options_(std::move(options)),
        host_(host),
        peers_(std::move(peers)),
        shared_(std::make_shared<shared_view>()),
        system_(config_) {}

  ~links() override {
    if (hub_) caf::anon_send_exit(hub_, caf::exit_reason::user_shutdown);
  }

  result<void> listen(const endpoint& at) {
    const bool tls = !options_.tls_dir.empty();
    hub_needs needs;
    needs.options = options_;
    needs.peers = peers_;
    for (const auto& one : peers_)
      needs.peer_names.push_back(one.host + ":" + std::to_string(one.port));
    needs.host = &host_;
    needs.shared = shared_;
    needs.incarnation = new_incarnation();
    needs.connector = caf::actor_cast<caf::strong_actor_ptr>(system_.middleman().actor_handle());
    // Under TLS the hub is reached and reaches through the tunnel, whose ways have to be there
    // first.
    auto door = tls ? endpoint{std::string(loopback_address), 0} : at;
    const auto publish = [&]() -> result<void> {
      auto bound = system_.middleman().publish(hub_, door.port, door.host.c_str(), true);
      if (!bound) return invalid("cluster.listen", "cannot listen on " + options_.listen);
      port_ = *bound;
      return {};
    };
    if (!tls) {
      hub_ = system_.spawn(hub, std::move(needs));
      return publish();
    }
    auto free_port = system_.middleman().open(0, door.host.c_str(), true);
    if (!free_port) return invalid("cluster.listen", "no port of the loopback is free");
    (void)system_.middleman().close(*free_port);
    door.port = *free_port;
    auto opened = tls_tunnel::open(options_.tls_dir, at, door.port, peers_);
    if (!opened) return opened.error();
    tunnel_ = std::move(*opened);
    needs.peers.clear();
    for (const auto way : tunnel_->ways())
      needs.peers.push_back({std::string(loopback_address), way});
    hub_ = system_.spawn(hub, std::move(needs));
    if (auto done = publish(); !done) return done;
    port_ = tunnel_->port();
    return {};
  }

  std::uint16_t port() const override { return port_; }

  links_seen look() const override {
    const std::lock_guard lock(shared_->mutex);
    return shared_->seen;
  }

  std::optional<std::string> door_of(const std::string& node) const override {
    const std::lock_guard lock(shared_->mutex);
    const auto at = shared_->doors.find(node);
    if (at == shared_->doors.end()) return std::nullopt;
    return at->second;
  }

  std::optional<std::string> owner_said(std::uint32_t partition) const override {
    const std::lock_guard lock(shared_->mutex);
    if (partition >= shared_->owners.size() || shared_->owners[partition].first.empty())
      return std::nullopt;
    return shared_->owners[partition].first;
  }

  std::int64_t documents_silent_ms() const override {
    const std::lock_guard lock(shared_->mutex);
    return monotonic_ms() - shared_->documents_heard_ms;
  }

  std::int64_t clock_ahead_ms(const std::string& node) const override {
    const std::lock_guard lock(shared_->mutex);
    const auto at = shared_->clocks.find(node);
    return at == shared_->clocks.end() ? 0 : at->second;
  }

  void leave() override { caf::anon_send(hub_, leave_atom::value); }
  void drain(bool wanted) override { caf::anon_send(hub_, drain_atom::value, wanted); }
  void connect(const std::string& door) override { caf::anon_send(hub_, begin_atom::value, door); }

 private:
  const link_options options_;
  cluster::partition_host& host_;
  const std::vector<endpoint> peers_;
  const std::shared_ptr<shared_view> shared_;
  std::unique_ptr<tls_tunnel> tunnel_;  // null: plain
  system_config config_;
  caf::actor_system system_;
  caf::actor hub_;
  std::uint16_t port_ = 0;
};

// What nodes say to each other decides who takes a partition: in the open nobody may say it but who
// has a certificate.
std::optional<error> check_tls(const link_options& options, const endpoint& at,
                               const std::vector<endpoint>& peers) {
  if (!options.tls_dir.empty()) {
    for (const auto* file : {"ca.pem", "node.pem", "node.key"}) {
      std::error_code ec;
      const auto path = options.tls_dir + "/" + file;
      if (!std::filesystem::is_regular_file(path, ec))
        return invalid("cluster.tls_dir", "there is no file " + path);
    }
    return std::nullopt;
  }
  if (!is_loopback(at.host))
    return invalid("cluster.listen", "without cluster.tls_dir it has to be of the loopback, and " +
                                         at.host + " is not");
  for (const auto& one : peers)
    if (!is_loopback(one.host))
      return invalid(
          "cluster.peers",
          "without cluster.tls_dir they have to be of the loopback, and " + one.host + " is not");
  return std::nullopt;
}

}  // namespace

std::string secret_fingerprint(std::string_view secret, std::string_view what_for) {
  if (secret.empty()) return {};
  const auto mac =
      security::hmac_sha256(secret, "soma cluster fingerprint v1: " + std::string(what_for));
  return security::hex(security::bytes_of(mac));
}

result<endpoint> parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  const auto wrong = [&] { return error(codes::config_invalid, "'" + text + "' is no host:port"); };
  if (colon == std::string::npos || colon == 0) return wrong();
  endpoint out;
  out.host = text.substr(0, colon);
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  const auto digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 5 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return wrong();
  const auto number = std::stoul(digits);
  if (number > 65'535) return wrong();
  out.port = static_cast<std::uint16_t>(number);
  return out;
}

result<std::unique_ptr<node_links>> node_links::open(link_options options,
                                                     cluster::partition_host& host) {
  auto at = parse_endpoint(options.listen);
  if (!at) return invalid("cluster.listen", at.error().detail);
  std::vector<endpoint> peers;
  for (const auto& text : options.peers) {
    auto one = parse_endpoint(text);
    if (!one) return invalid("cluster.peers", one.error().detail);
    if (one->port == 0) return invalid("cluster.peers", "'" + text + "' names no port");
    const bool self = at->port != 0 && one->port == at->port && one->host == at->host;
    if (!self) peers.push_back(std::move(*one));
  }
  if (peers.size() >= nodes_max)
    return invalid("cluster.peers",
                   "a cluster has at most " + std::to_string(nodes_max) + " nodes");
  if (auto bad = check_tls(options, *at, peers)) return *bad;
  options.rules.partitions = host.partitions();
  options.rules.others = peers.size();
  auto made = std::make_unique<links>(std::move(options), host, std::move(peers));
  if (auto good = made->listen(*at); !good) return good.error();
  return std::unique_ptr<node_links>(std::move(made));
}

}  // namespace soma::peers
