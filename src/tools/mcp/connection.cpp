#include "tools/mcp/connection.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/uuid.hpp"
#include "tools/builtin/call.hpp"
#include "tools/mcp/lenient_json.hpp"
#include "tools/mcp/limits.hpp"
#include "tools/mcp/tool_result.hpp"

namespace soma::tools::mcp {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

std::chrono::milliseconds wait_before(int attempt) {
  auto wait = std::chrono::milliseconds(limits::retry_first);
  for (int i = 1; i < attempt && wait < limits::retry_most; ++i) wait *= 2;
  wait = std::min<std::chrono::milliseconds>(wait, limits::retry_most);
  // A quarter more or less, so that what was lost together does not come back together.
  const auto quarter = static_cast<std::uint64_t>(wait.count()) / 4;
  return wait - std::chrono::milliseconds(quarter) +
         std::chrono::milliseconds(random_u64() % (2 * quarter + 1));
}

bool says(const json::object& capabilities, std::string_view what) {
  const auto* found = capabilities.if_contains(what);
  return found && found->is_object();
}

bool flag_in(const json::object& capabilities, std::string_view what, std::string_view flag) {
  if (!says(capabilities, what)) return false;
  const auto* value = capabilities.at(what).get_object().if_contains(flag);
  return value && value->is_bool() && value->get_bool();
}

json::object object_of(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value && value->is_object() ? value->get_object() : json::object();
}

bool lists(const json::object& from, std::string_view name, std::string_view wanted) {
  const auto* value = from.if_contains(name);
  if (!value || !value->is_array()) return false;
  return std::any_of(value->get_array().begin(), value->get_array().end(), [&](const auto& one) {
    return one.is_string() && std::string_view(one.get_string()) == wanted;
  });
}

std::optional<std::string_view> legacy_of(const json::object& from, std::string_view name) {
  for (const auto revision : legacy_revisions)
    if (lists(from, name, revision)) return revision;
  return std::nullopt;
}

std::string name_of(const json::object& info) {
  auto name = shown(text_of(info, "name"), 100);
  if (const auto version = shown(text_of(info, "version"), 50); !version.empty())
    name += " " + version;
  return name;
}

// What is spoken to a server of a revision that is not known: the newest that is not newer, else
// the oldest. None where it is no revision: those are dates.
std::optional<std::string_view> nearest_to(std::string_view revision) {
  if (revision.size() != legacy_revision.size() ||
      revision.find_first_not_of("0123456789-") != revision.npos)
    return std::nullopt;
  for (const auto known : legacy_revisions)
    if (known <= revision) return known;
  return std::rbegin(legacy_revisions)[0];
}

std::string not_spoken(std::string_view revision) {
  return "the server speaks revision " + shown(revision, 50) + ", which is not spoken here";
}

}  // namespace

std::string_view to_string(connection_state state) {
  switch (state) {
    case connection_state::connecting: return "connecting";
    case connection_state::ready: return "ready";
    case connection_state::waiting: break;
  }
  return "waiting";
}

connection::connection(connection_rules rules, scheduler& time, transport_maker make,
                       connection_events events)
    : rules_(std::move(rules)),
      time_(time),
      make_(std::move(make)),
      events_(std::move(events)),
      writer_(rules_.client_version),
      handshake_(time),
      retry_(time),
      relist_(time),
      relisten_(time),
      ping_(time) {}

connection::~connection() = default;

void connection::start() {
  connect();
}

void connection::tell() {
  if (events_.on_change) events_.on_change();
}

// ---- to be connected, and to be lost ----

void connection::connect() {
  ++generation_;
  ++attempts_;
  state_ = connection_state::connecting;
  retried_revision_ = announces_ = listing_ = list_again_ = false;
  theirs_.clear();
  probe_id_ = listen_id_ = ping_id_ = 0;
  strays_ = 0;
  transport_ = make_();
  const auto current = [this, mine = generation_] { return mine == generation_; };
  transport_sink sink;
  sink.on_open = [this, current] {
    if (!current()) return;
    const auto& fixed = rules_.revision;
    if (is_legacy(fixed)) return initialize(fixed);
    was_legacy_&& fixed == "auto" ? initialize(legacy_revision) : probe();
  };
  sink.on_message = [this, current](std::string_view text) {
    if (current()) on_message(text);
  };
  sink.on_failed = [this, current](request_failure why) {
    if (current()) on_failed(why);
  };
  sink.on_closed = [this, current](std::string why, std::string last_words) {
    if (current()) lose(std::move(why), std::move(last_words));
  };
  sink.waits = [this](std::uint64_t id) { return pending_.count(id) || calls_.count(id); };
  handshake_.set(limits::connect_timeout, [this] { lose("the server cannot be reached in time"); });
  transport_->open(std::move(sink));
}

void connection::lose(std::string why, std::string last_words) {
  ++generation_;
  const bool was_ready = state_ == connection_state::ready;
  state_ = connection_state::waiting;
  last_error_ = shown(why, limits::detail_bytes_max);
  last_words_ = shown(last_words, limits::stderr_bytes_kept);
  for (auto* one : {&handshake_, &relist_, &relisten_, &ping_}) one->stop();
  // Perhaps it is another server by now; or one that ends at whatever is not `initialize`.
  if (!was_ready) was_legacy_ = probe_id_ != 0 && pending_.count(probe_id_) > 0;
  pending_.clear();
  if (was_ready && time_.now() - ready_at_ > limits::sound_after) attempts_ = 0;
  retry_.set(wait_before(attempts_), [this] { connect(); });
  // Its own callbacks may be what brought us here: it ends when they are back.
  std::shared_ptr<transport> old = std::move(transport_);
  time_.after(0ms, [old] {});
  end_calls(last_error_);
  tell();
}

// ---- to agree on a revision ----

void connection::ask(outgoing message, pending how) {
  pending_.insert_or_assign(message.id, std::move(how));
  transport_->send(std::move(message));
}

void connection::probe() {
  writer_.speak(modern_revision);
  transport_->speak(modern_revision);
  probe_id_ = ++last_id_;
  handshake_.set(limits::probe_timeout, [this] {
    if (rules_.revision != "auto") return lose("the server does not answer server/discover");
    transport_->abandon(probe_id_);
    pending_.erase(probe_id_);
    initialize(legacy_revision);
  });
  ask(writer_.request(probe_id_, "server/discover"),
      {[this](incoming& answer) { on_discovered(answer); },
       [this](const request_failure& why) { on_probe_failure(why); }});
}

void connection::on_discovered(incoming& answer) {
  if (answer.what == incoming::kind::failure)
    return on_probe_refused(answer.code, answer.body, answer.message);
  // Servers of old that answer whatever they are asked.
  if (!answer.body.contains("supportedVersions") && rules_.revision == "auto")
    return initialize(legacy_revision);
  const auto info =
      object_of(object_of(answer.body, "_meta"), "io.modelcontextprotocol/serverInfo");
  server_name_ = name_of(info.empty() ? object_of(answer.body, "serverInfo") : info);
  if (lists(answer.body, "supportedVersions", modern_revision))
    return agree(modern_revision, object_of(answer.body, "capabilities"));
  const auto older = legacy_of(answer.body, "supportedVersions");
  if (older && rules_.revision == "auto") return initialize(*older);
  lose("the server speaks no revision that is spoken here");
}

void connection::on_probe_refused(int code, json::object& data, const std::string& message) {
  if (code == revision_unsupported) {
    if (lists(data, "supported", modern_revision) && !std::exchange(retried_revision_, true))
      return probe();
    const auto older = legacy_of(data, "supported");
    if (older && rules_.revision == "auto") return initialize(*older);
    return lose("the server speaks no revision that is spoken here");
  }
  if (is_modern_error(code)) return lose("the server refused server/discover: " + message);
  if (rules_.revision == "auto") return initialize(legacy_revision);
  // Whoever fixes the revision knows better than a server that cannot tell.
  if (code == method_not_found) return agree(modern_revision, {{"tools", json::object()}});
  lose("the server refused server/discover: " + message);
}

void connection::on_probe_failure(const request_failure& why) {
  if (auto said = read_messages(why.body); said && said->front().what == incoming::kind::failure)
    return on_probe_refused(said->front().code, said->front().body, said->front().message);
  // What cannot make anything of the probe says so by any status, or in a body of its own.
  const bool credential = why.http_status == 401 || why.http_status == 403;
  if (why.http_status != 0 && !credential && rules_.revision == "auto")
    return initialize(legacy_revision);
  lose(why.detail);
}

void connection::initialize(std::string_view revision) {
  writer_.speak(revision);
  transport_->speak({});
  const auto id = ++last_id_;
  handshake_.set(limits::handshake_timeout,
                 [this] { lose("the server does not answer initialize in time"); });
  ask(writer_.initialize(id), {[this](incoming& answer) { on_initialized(answer); },
                               [this](const request_failure& why) { lose(why.detail); }});
}

void connection::on_initialized(incoming& answer) {
  if (answer.what == incoming::kind::failure)
    return lose("the server refused initialize: " + answer.message);
  const auto revision = text_of(answer.body, "protocolVersion");
  const bool fixed = rules_.revision != "auto";
  const auto nearest = nearest_to(revision);
  if (!nearest || (fixed && revision != rules_.revision)) return lose(not_spoken(revision));
  // Mostly it understands what we speak; if not, it refuses what follows.
  const std::string ours(*nearest);
  if (ours != revision) theirs_ = revision;
  server_name_ = name_of(object_of(answer.body, "serverInfo"));
  writer_.speak(ours);
  transport_->speak(ours);
  transport_->send(writer_.notification("notifications/initialized"));
  was_legacy_ = true;
  agree(ours, object_of(answer.body, "capabilities"));
}

void connection::agree(std::string_view revision, const json::object& capabilities) {
  agreed_ = revision;
  announces_ = flag_in(capabilities, "tools", "listChanged");
  coming_ = {};
  cursors_.clear();
  listed_bytes_ = 0;
  if (!says(capabilities, "tools")) return become_ready();
  list({});
}

// ---- its tools ----

void connection::list(std::string cursor) {
  listing_ = true;
  const auto id = ++last_id_;
  auto* clock = state_ == connection_state::ready ? &relist_ : &handshake_;
  clock->set(limits::list_timeout, [this] { lose("the server does not list its tools in time"); });
  json::object params;
  if (!cursor.empty()) params["cursor"] = cursor;
  ask(writer_.request(id, "tools/list", std::move(params)),
      {[this](incoming& answer) { on_page(answer); },
       [this](const request_failure& why) { on_no_list(why.detail); }});
}

void connection::on_no_list(const std::string& why) {
  lose(theirs_.empty() ? why : not_spoken(theirs_) + ": " + why);
}

void connection::on_page(incoming& answer) {
  if (answer.what == incoming::kind::failure)
    return on_no_list("the server refused tools/list: " + answer.message);
  if (!add_page(coming_, answer.body, transport_->over_http() && writer_.modern()))
    return lose("the server lists more than " + std::to_string(limits::tools_max) + " tools");
  listed_bytes_ += message_bytes_;
  if (listed_bytes_ > limits::list_bytes_max)
    return lose("the server's list of tools is longer than " +
                std::to_string(limits::list_bytes_max) + " bytes");
  const auto next = text_of(answer.body, "nextCursor");
  if (next.empty()) return become_ready();
  if (cursors_.count(next)) return become_ready();  // it knows no cursors, and has told all it has
  if (next.size() > limits::cursor_bytes_max || cursors_.size() + 1 >= limits::pages_max)
    return lose("the server's list of tools has no end");
  cursors_.insert(next);
  list(next);
}

void connection::become_ready() {
  handshake_.stop();
  relist_.stop();
  listing_ = false;
  tools_ = std::exchange(coming_, {});
  const bool was_ready = state_ == connection_state::ready;
  if (!was_ready) {
    state_ = connection_state::ready;
    ready_at_ = time_.now();
    last_error_.clear();
    last_words_.clear();
    listen();
  }
  tell();
  if (std::exchange(list_again_, false)) list_soon();
}

void connection::list_soon() {
  if (state_ != connection_state::ready || listing_) {
    list_again_ = true;
    return;
  }
  listing_ = true;  // from now on: what is announced meanwhile is one more list
  relist_.set(limits::list_gap, [this] {
    coming_ = {};
    cursors_.clear();
    listed_bytes_ = 0;
    list({});
  });
}

void connection::listen() {
  if (!announces_) return;
  if (!writer_.modern()) return transport_->listen();
  listen_id_ = ++last_id_;
  const auto again = [this] {
    listen_id_ = 0;
    relisten_.set(limits::retry_most, [this] { listen(); });
  };
  ask(writer_.request(listen_id_, "subscriptions/listen",
                      {{"notifications", {{"toolsListChanged", true}}}}),
      {[again](incoming&) { again(); }, [again](const request_failure&) { again(); }});
}

// ---- what the server says ----

void connection::stray(std::string_view what) {
  if (time_.now() - strays_since_ > limits::stray_window) {
    strays_since_ = time_.now();
    strays_ = 0;
  }
  strays_ += message_weight_;
  if (strays_ > limits::stray_messages_max)
    lose("the server goes on sending what nobody asked for: " + std::string(what));
}

void connection::on_message(std::string_view text) {
  message_bytes_ = text.size();
  message_weight_ = 1 + text.size() / limits::stray_bytes;
  auto read = read_messages(text);
  if (!read) {
    if (const auto id = answered_id(text)) return on_unreadable(*id, read.error().detail);
    return stray(read.error().detail);
  }
  for (auto& one : *read) {
    if (!transport_) return;  // one of them ended the connection
    on_one(one);
  }
}

// Whoever waits for it would do so until its time is over.
void connection::on_unreadable(std::uint64_t id, const std::string& why) {
  const auto detail = "the server's answer cannot be read: " + why;
  if (auto call = calls_.extract(id); !call.empty())
    return call.mapped().what.on_done(failed(codes::tool_failed, detail));
  auto found = pending_.extract(id);
  if (found.empty() || !found.mapped().on_failure) return stray(why);
  found.mapped().on_failure({id, 200, {}, detail});
}

void connection::on_one(incoming& message) {
  switch (message.what) {
    case incoming::kind::response:
    case incoming::kind::failure: return on_answer(message);
    case incoming::kind::notification: return on_notification(message);
    case incoming::kind::request: break;
  }
  stray("requests");
  if (!transport_ || writer_.modern()) return;  // where a client sends no answers
  transport_->send(message.method == "ping" ? message_writer::answer(message.id_json)
                                            : message_writer::not_found(message.id_json));
}

void connection::on_answer(incoming& answer) {
  if (!answer.id) {
    // The probe was all that it can mean.
    const bool first = answer.what == incoming::kind::failure && pending_.size() == 1 &&
                       pending_.count(probe_id_) > 0;
    if (!first) return stray("answers without an id of ours");
    answer.id = probe_id_;
  }
  if (calls_.count(*answer.id)) return on_call_answer(answer);
  auto found = pending_.extract(*answer.id);
  if (found.empty()) return stray("answers to nothing");
  if (answer.what == incoming::kind::response && !answer.result_is_object)
    return lose("the server's result is no object");
  found.mapped().on_answer(answer);
}

void connection::on_failed(const request_failure& why) {
  if (auto one = calls_.extract(why.id); !one.empty()) {
    auto said = read_messages(why.body);
    const bool answered = said && said->front().what == incoming::kind::failure;
    // 404 by the specification; some say 400, in a message to nobody.
    const bool forgotten = transport_->over_http() && !writer_.modern() &&
                           ((why.http_status == 404 && !answered) ||
                            (why.http_status == 400 && answered && !said->front().id));
    one.mapped().what.on_done(
        failed(why.http_status == 0 ? codes::tool_interrupted : codes::tool_failed,
               answered ? "the server refused the call (" + std::to_string(said->front().code) +
                              "): " + said->front().message
                        : why.detail,
               forgotten));
    if (answered && said->front().code == header_mismatch) list_soon();
    if (forgotten) lose("the server ended its session");
    if (why.http_status == 0) lose(why.detail);  // it is away: nobody should go on calling it
    return;
  }
  auto found = pending_.extract(why.id);
  if (!found.empty() && found.mapped().on_failure) found.mapped().on_failure(why);
}

void connection::on_notification(incoming& message) {
  if (message.method == "notifications/progress") return on_progress(message.body);
  if (message.method == "notifications/tools/list_changed") list_soon();
  stray("notifications");
}

}  // namespace soma::tools::mcp
