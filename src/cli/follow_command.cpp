// `soma memory follow URL`: brings the log of one server's memories to another, over the public API
// of both. It keeps nothing: how far it is says the server that it brings it to, so it can end at
// any moment and begin again.
//
// What is away is asked again, later and later; what is no log, is another one, or is refused ends
// it: a copy that cannot be trusted is worse than one that is old.
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <random>
#include <thread>

#include "cli/api_client.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/uuid.hpp"

namespace soma {
namespace {

namespace json = boost::json;

constexpr std::size_t batch_lines_max = 200, batch_bytes_max = 256 * 1024;
constexpr std::size_t line_bytes_max = 600'000;  // as the API takes one
constexpr std::int64_t wait_ms_min = 500, wait_ms_max = 60'000;
// Between two words that there is nothing new: each is in the copy's audit.
constexpr std::chrono::seconds nothing_new_every(10);
constexpr long not_modified_here = 412;

bool may_change(long status) {
  return status == 0 || status == 408 || status == 429 || status >= 500;
}

// Reads the log line by line and hands it on in batches.
class log_reader final : public stream_reader {
 public:
  struct wanted {
    std::string log, after;  // where the copy is; empty: it has nothing
    bool anew = false, once = false;
  };
  log_reader(http_client& to, wanted what) : to_(to), what_(std::move(what)) {}

  bool take(std::string_view bytes) override {
    buffer_ += bytes;
    std::size_t at = 0;
    for (std::size_t end; !done() && (end = buffer_.find('\n', at)) != std::string::npos;
         at = end + 1)
      on_line(std::string_view(buffer_).substr(at, end - at));
    buffer_.erase(0, at);
    if (buffer_.size() > line_bytes_max) refuse("what it sends is no log of memories");
    return !done();
  }
  bool done() const override { return over_ || away_ || !refused_.empty(); }

  const std::string& refused() const { return refused_; }  // why; empty: it was not
  bool is_whole() const { return over_; }
  bool moved() const { return moved_; }
  bool is_anew() const { return what_.anew; }  // still to be begun
  const std::string& trouble() const { return trouble_; }

 private:
  void refuse(std::string why) {
    if (refused_.empty()) refused_ = std::move(why);
  }

  void on_line(std::string_view line) {
    boost::system::error_code ec;
    const auto value = json::parse({line.data(), line.size()}, ec);
    if (ec || !value.is_object() || line.size() > line_bytes_max)
      return refuse("what it sends is no log of memories");
    const auto type = text_of(value.get_object(), "type");
    if (log_.empty()) return on_begin(type, text_of(value.get_object(), "log"));
    if (type == "alive") return;
    if (type == "head" && lines_.empty() && !what_.anew && is_known(value.get_object())) return;
    if (type != "put" && type != "gone" && type != "head")
      return refuse("what it sends is no log of memories");
    lines_.emplace_back(line);
    bytes_ += line.size();
    if (type == "head" || lines_.size() == batch_lines_max || bytes_ > batch_bytes_max)
      hand_on(type == "head");
    if (type == "head" && what_.once && !away_ && refused_.empty()) over_ = true;
  }

  bool is_known(const json::object& head) const {
    return text_of(head, "position") == what_.after && told_head_ &&
           std::chrono::steady_clock::now() - *told_head_ < nothing_new_every;
  }

  void on_begin(const std::string& type, std::string log) {
    if (type != "begin" || log.empty()) return refuse("what it sends is no log of memories");
    if (!what_.log.empty() && log != what_.log && !what_.anew)
      return refuse("it is another log than the one that is followed; --anew follows it instead");
    log_ = std::move(log);
  }

  void hand_on(bool ends_with_head) {
    std::string body;
    json_writer w(body);
    w.begin_object().field("log", log_).field("after", what_.anew ? "" : what_.after);
    if (what_.anew) w.field_bool("anew", true);
    w.key("lines").begin_array();
    for (const auto& line : lines_) w.string(line);
    w.end_array().end_object();
    lines_.clear();
    bytes_ = 0;
    const auto got = to_.post("/v1/memory/wal", body, new_uuid());
    if (got.status == 200) {
      told_head_.reset();
      if (ends_with_head) told_head_ = std::chrono::steady_clock::now();
      auto position = text_of(got.body, "position");
      moved_ = moved_ || position != what_.after || what_.anew;
      what_.after = std::move(position);
      what_.anew = false;
      return;
    }
    trouble_ = "the copy: " + reason_of(to_, got);
    away_ = true;
    // Another may have brought something: where it is then is asked again.
    if (!may_change(got.status) && got.status != not_modified_here) refuse(trouble_);
  }

  http_client& to_;
  wanted what_;
  std::string log_, buffer_, refused_, trouble_;
  std::vector<std::string> lines_;
  std::size_t bytes_ = 0;
  std::optional<std::chrono::steady_clock::time_point> told_head_;
  bool over_ = false, away_ = false, moved_ = false;
};

// Longer and longer, and never quite the same.
class waits {
 public:
  void begin_anew() { ms_ = wait_ms_min; }
  void wait() {
    const auto ms = std::uniform_int_distribution<std::int64_t>(ms_ / 2, ms_)(chance_);
    ms_ = std::min(ms_ * 2, wait_ms_max);
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  }

 private:
  std::int64_t ms_ = wait_ms_min;
  std::minstd_rand chance_{std::random_device{}()};
};

struct copy_state {
  answer got;
  std::string log, position;
};

copy_state ask_copy(http_client& here) {
  copy_state out;
  out.got = here.get("/v1/memory/status");
  if (out.got.status != 200) return out;
  boost::system::error_code ec;
  const auto value = json::parse(out.got.body, ec);
  const auto* object = ec ? nullptr : value.if_object();
  const auto* followed = object ? object->if_contains("followed") : nullptr;
  if (!followed || !followed->is_object()) return out;
  out.log = text_of(followed->get_object(), "log");
  out.position = text_of(followed->get_object(), "position");
  return out;
}

int end_following(http_client& here) {
  const auto copy = ask_copy(here);
  if (copy.got.status != 200) return complain("the copy: " + reason_of(here, copy.got)), 1;
  if (copy.log.empty()) return complain("nothing is followed here"), 1;
  std::string body;
  json_writer(body).begin_object().field("log", copy.log).field_bool("end", true).end_object();
  const auto got = here.post("/v1/memory/wal", body, new_uuid());
  if (got.status != 200) return complain("the copy: " + reason_of(here, got)), 1;
  return 0;
}

std::string why_not_read(const http_client& there, const answer& got) {
  if (got.status == 401 && !there.has_key())
    return there.base() + " wants a key: give one with --from-key, or in FOLLOWED_KEY";
  auto why = there.base() + ": " + reason_of(there, got);
  if (got.status == 400) why += "; --anew does so, and takes away what is there no more";
  return why;
}

}  // namespace

int follow_memories(const memory_options& options) {
  http_client here(server_of(options.url), options.key);
  if (options.end) return end_following(here);
  http_client there(server_of(options.text), options.from_key);
  bool anew = options.anew, told = false;
  waits between;
  const auto away = [&](const std::string& why) {
    if (!std::exchange(told, true)) complain(why + "; it is tried again");
    between.wait();
  };
  for (;;) {
    const auto copy = ask_copy(here);
    if (copy.got.status != 200) {
      const auto why = "the copy: " + reason_of(here, copy.got);
      if (!may_change(copy.got.status)) return complain(why), 1;
      away(why);
      continue;
    }
    log_reader reader(here, {copy.log, copy.position, anew, options.once});
    const auto from = anew || copy.position.empty() ? std::string("start") : copy.position;
    const auto got = there.stream(
        "/v1/memory/wal?after=" + from + (options.once ? "&follow=false" : ""), reader);
    if (reader.is_whole()) return 0;
    if (!reader.refused().empty()) return complain(there.base() + ": " + reader.refused()), 1;
    if (got.status != 200 && !may_change(got.status)) return complain(why_not_read(there, got)), 1;
    anew = reader.is_anew();
    if (reader.moved()) {
      between.begin_anew();
      told = false;
    }
    away(!reader.trouble().empty() ? reader.trouble()
         : got.status == 200       ? there.base() + ": the connection ended"
                                   : there.base() + ": " + reason_of(there, got));
  }
}

}  // namespace soma
