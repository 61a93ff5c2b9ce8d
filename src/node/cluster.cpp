#include "node/cluster.hpp"

#include <sys/socket.h>

#include <thread>

#include "cluster/record.hpp"
#include "core/codes.hpp"
#include "core/loopback.hpp"
#include "core/shown_text.hpp"
#include "core/version.hpp"
#include "http/net/relayed_caller.hpp"
#include "node/secrets.hpp"
#include "observability/log.hpp"
#include "security/identity/server_key.hpp"

namespace soma {
namespace {

constexpr const char* socket_name = "cluster.sock";
constexpr std::chrono::milliseconds leaving_looked_at_every{20};

error wrong(const std::string& key, const std::string& why) {
  return error(codes::config_invalid, key + ": " + why);
}

// A node without others needs no links, and hands nothing over.
bool has_peers(const config& settings) {
  return !settings.text("cluster.node").empty() && !settings.list("cluster.peers").empty();
}

http::tls_files files_in(const std::string& folder) {
  return {folder + "/node.pem", folder + "/node.key", folder + "/ca.pem"};
}

peers::link_options links_of(const config& settings, const secret_string& server_key) {
  peers::link_options out;
  out.self.cluster = settings.text("cluster.name");
  out.self.node = settings.text("cluster.node");
  out.self.version = version;
  out.self.format = cluster::format_newest;
  out.self.server_key = peers::secret_fingerprint(server_key.reveal(), "server key");
  out.self.internal_token =
      peers::secret_fingerprint(settings.secret("auth.internal_token").reveal(), "internal token");
  if (const auto keys = encryption_keys(settings); keys && !keys->empty())
    out.self.enc_key = peers::secret_fingerprint(keys->front().reveal(), "encryption key");
  out.self.roles = settings.list("node.roles");
  out.listen = settings.text("cluster.listen");
  out.peers = settings.list("cluster.peers");
  out.tls_dir = settings.text("cluster.tls_dir");
  out.heartbeat_ms = settings.number("cluster.heartbeat_ms");
  out.rules.copies = static_cast<std::size_t>(settings.number("cluster.standbys")) + 1;
  out.rules.silence_ms = settings.number("cluster.silence_ms");
  out.rules.confirm_ms = 2 * out.heartbeat_ms;
  out.rules.join_ms = std::max<std::int64_t>(out.rules.silence_ms, 3'000);
  out.rules.moves_max = static_cast<std::size_t>(settings.number("cluster.moves_max"));
  out.rules.lag_max = settings.number("cluster.lag_max");
  return out;
}

std::string lines_of(const app::cluster_overview& seen) {
  std::string out = "node " + seen.node + (seen.draining ? ", draining" : "") + "\n";
  for (const auto& one : seen.nodes) {
    std::size_t owns = 0;
    for (const auto& partition : seen.partitions) owns += partition.owner == one.node;
    out += "  " + one.node + "  " + one.state + "  owns " + std::to_string(owns) + "  " +
           one.address + "  " + one.version + "\n";
  }
  std::size_t nobodys = 0;
  for (const auto& partition : seen.partitions) {
    nobodys += partition.owner.empty();
    if (!partition.stopped.empty())
      out += "  partition " + std::to_string(partition.partition) +
             " has stopped here: " + plain_line(partition.stopped) + "\n";
  }
  out += std::to_string(seen.partitions.size()) + " partitions, " + std::to_string(nobodys) +
         " without an owner, " + std::to_string(seen.moves_under_way) + " on the move\n";
  for (const auto& one : seen.refused) out += "not let in: " + plain_line(one) + "\n";
  return out;
}

void answer(const app::cluster_node& of, security::audit_log& audit, const std::string& line,
            const tell_peer& tell) {
  if (line == "drain" || line == "undrain") {
    of.links().drain(line == "drain");
    security::audit_record r;
    r.what = line == "drain" ? "node.drained" : "node.undrained";
    r.door = "local";
    r.resource = of.node();
    audit.record(r);
    tell(line == "drain" ? "draining: `soma cluster status` says when it owns nothing\n"
                         : "taking its share again\n");
  } else if (line == "status") {
    tell(lines_of(app::overview_of(&of)));
  } else {
    tell("status, drain or undrain\n");
  }
}

}  // namespace

result<void> check_cluster(const config& settings) {
  if (!has_peers(settings)) return {};
  if (!settings.flag("cluster.unsafe_many_nodes"))
    return wrong("cluster.peers",
                 "several nodes do not agree yet on memories and other documents that are of no "
                 "session: set cluster.unsafe_many_nodes to try what there is");
  if (settings.secret("auth.internal_token").empty())
    return wrong("auth.internal_token", "a node of a cluster needs one, the same on all");
  auto at = peers::parse_endpoint(settings.text("cluster.http_listen"));
  if (!at) return wrong("cluster.http_listen", at.error().detail);
  if (!parse_ip(at->host)) return wrong("cluster.http_listen", "must be an address, not a name");
  if (settings.text("cluster.tls_dir").empty() && !is_loopback(at->host))
    return wrong(
        "cluster.http_listen",
        "without cluster.tls_dir it has to be of the loopback, and " + at->host + " is not");
  const auto& address = settings.text("cluster.http_address");
  const auto bound_to = *parse_ip(at->host);
  const bool is_any = bound_to == *parse_ip("0.0.0.0") || bound_to == *parse_ip("::");
  if (address.empty() && is_any)
    return wrong("cluster.http_listen",
                 at->host +
                     " says at which address of this node, and not how others reach it: set "
                     "cluster.http_address");
  if (!address.empty())
    if (auto good = peers::parse_endpoint(address); !good)
      return wrong("cluster.http_address", good.error().detail);
  // One of its own making would let it in nowhere.
  if (settings.text("cluster.server_key_file").empty() &&
      !security::has_server_key(settings.text("storage.data_dir")))
    return wrong("cluster.server_key_file",
                 "a node of several needs the key that all of them have");
  if (settings.number("cluster.silence_ms") < 3 * settings.number("cluster.heartbeat_ms"))
    return wrong("cluster.silence_ms", "must be three heartbeats at least");
  return {};
}

result<void> take_cluster_key(const config& settings) {
  const auto& file = settings.text("cluster.server_key_file");
  if (file.empty()) return {};
  auto taken = security::take_server_key(settings.text("storage.data_dir"), file);
  if (!taken) return wrong("cluster.server_key_file", taken.error().detail);
  return {};
}

node_cluster::node_cluster(const config& settings, std::unique_ptr<peers::node_links> links,
                           cluster::partition_host& host)
    : settings_(settings),
      links_(std::move(links)),
      seen_({host, *links_, settings.text("cluster.node"),
             settings.number("cluster.auth_lag_max_ms")}) {}

result<std::unique_ptr<node_cluster>> node_cluster::open(const config& settings,
                                                         const secret_string& server_key,
                                                         security::audit_log& audit,
                                                         cluster::partition_host* host) {
  if (!has_peers(settings)) return std::unique_ptr<node_cluster>();
  if (!host) return wrong("cluster.node", "this node holds no partitions that it could share");
  auto links = peers::node_links::open(links_of(settings, server_key), *host);
  if (!links) return links.error();
  std::unique_ptr<node_cluster> made(new node_cluster(settings, std::move(*links), *host));
  made->relay_key_ = http::relay_key_of(server_key.reveal());
  if (const auto& folder = settings.text("cluster.tls_dir"); !folder.empty()) {
    auto tls = http::tls_context::open(files_in(folder));
    if (!tls) return wrong("cluster.tls_dir", tls.error().detail);
    made->tls_ = std::move(*tls);
    auto client = http::make_node_client(files_in(folder));
    if (!client) return client.error();
    made->client_tls_ = std::move(*client);
  }
  auto local = local_door::open(
      settings.text("storage.data_dir"), socket_name, true,
      [seen = &made->seen_, &audit](const std::string& line, const tell_peer& tell) {
        answer(*seen, audit, line, tell);
      });
  if (local)
    made->local_ = std::move(*local);
  else
    log(log_level::warn, "cluster.no_door", {{"reason", local.error().detail}});
  return made;
}

http::node_door node_cluster::door() const {
  const auto at = *peers::parse_endpoint(settings_.text("cluster.http_listen"));
  return {at.host, at.port, tls_.get()};
}

std::unique_ptr<http::owner_relay> node_cluster::make_relay() const {
  http::relay_waits waits;
  waits.takeover = std::chrono::milliseconds(settings_.number("cluster.takeover_wait_ms"));
  waits.read = std::chrono::milliseconds(settings_.number("cluster.read_wait_ms"));
  return std::make_unique<http::owner_relay>(seen_, waits, relay_key_);
}

http::node_client_options node_cluster::client_options() const {
  http::node_client_options out;
  out.tls = client_tls_;
  out.silence_ms = static_cast<int>(settings_.number("cluster.relay_silence_ms"));
  return out;
}

void node_cluster::join() {
  log(log_level::info, "cluster.joins", {{"node", seen_.node()}});
  links_->connect("");
}

void node_cluster::leave() {
  const auto wait = std::chrono::milliseconds(settings_.number("cluster.leave_wait_ms"));
  const auto owned = [this] {
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < seen_.host().partitions(); ++i) {
      const auto view = seen_.host().look(i);
      count += view.owned_here && !view.released;
    }
    return count;
  };
  const auto before = owned();
  if (before == 0 || wait.count() == 0) return;
  links_->leave();
  const auto until = std::chrono::steady_clock::now() + wait;
  const auto anybody = [this] {
    for (const auto& one : links_->look().nodes)
      if (!one.is_self && one.state == "here") return true;
    return false;
  };
  while (owned() > 0 && anybody() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(leaving_looked_at_every);
  log(log_level::info, "cluster.left", {{"owned", before}, {"kept", owned()}});
}

void node_cluster::take_requests(std::uint16_t port) {
  auto address = settings_.text("cluster.http_address");
  if (address.empty()) {
    const auto host = peers::parse_endpoint(settings_.text("cluster.http_listen"))->host;
    const bool is_v6 = host.find(':') != std::string::npos;
    address = (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
  const auto& node = seen_.node();
  log(log_level::info, "cluster.begins", {{"node", node}, {"http", address}});
  links_->connect(address);
}

result<std::string> ask_cluster(const std::string& data_dir, const std::string& what) {
  const auto peer = connect_to_local_door(data_dir, socket_name);
  if (!peer) return peer.error();
  const auto asked = what + "\n";
  if (send(peer->get(), asked.data(), asked.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(asked.size()))
    return error(codes::storage_unavailable, "the server does not listen");
  line_source lines(peer->get());
  std::string said;
  for (std::string line; lines.next(line);) said += line + "\n";
  return said;
}

}  // namespace soma
