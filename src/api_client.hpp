// A client of the public API for the subcommands that are one: chat, tools. Each call blocks.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/event.hpp"

namespace soma {

struct curl_deleter {
  void operator()(CURL* c) const { curl_easy_cleanup(c); }
};
struct slist_deleter {
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};

struct answer {
  long status = 0;  // 0: no answer at all
  std::string body;
};

// The server's address: the one given, without a final slash, else the configuration's default.
std::string server_url(std::string given);

// One request at a time to one server.
class http_client {
 public:
  http_client(std::string base, std::string key) : base_(std::move(base)), key_(std::move(key)) {}

  answer get(const std::string& path) {
    answer got;
    const auto c = request(path, {});
    perform(c, got);
    return got;
  }
  answer post(const std::string& path, const std::string& json,
              const std::string& idempotency_key) {
    answer got;
    const auto c =
        request(path, {"Content-Type: application/json", "Idempotency-Key: " + idempotency_key});
    curl_easy_setopt(c.first.get(), CURLOPT_POSTFIELDS, json.c_str());
    perform(c, got);
    return got;
  }

  // Gives the stream's bytes to `reader` until it says stop or the connection ends.
  template <class Reader>
  void stream(const std::string& path, Reader& reader) {
    const auto c = request(path, {"Accept: text/event-stream"});
    curl_easy_setopt(c.first.get(), CURLOPT_WRITEDATA, &reader);
    curl_easy_setopt(
        c.first.get(), CURLOPT_WRITEFUNCTION,
        +[](char* data, std::size_t, std::size_t n, void* to) -> std::size_t {
          return static_cast<Reader*>(to)->take({data, n}) ? n : 0;
        });
    curl_easy_setopt(c.first.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c.first.get(), CURLOPT_XFERINFODATA, &reader);
    curl_easy_setopt(
        c.first.get(), CURLOPT_XFERINFOFUNCTION,
        +[](void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
          static_cast<Reader*>(to)->between();
          return 0;
        });
    curl_easy_perform(c.first.get());
  }

 private:
  using handle =
      std::pair<std::unique_ptr<CURL, curl_deleter>, std::unique_ptr<curl_slist, slist_deleter>>;

  static constexpr long connect_timeout_s = 10, answer_timeout_s = 60;

  static void perform(const handle& c, answer& got) {
    curl_easy_setopt(c.first.get(), CURLOPT_TIMEOUT, answer_timeout_s);
    curl_easy_setopt(c.first.get(), CURLOPT_WRITEDATA, &got.body);
    curl_easy_setopt(c.first.get(), CURLOPT_WRITEFUNCTION, &append);
    if (curl_easy_perform(c.first.get()) == CURLE_OK)
      curl_easy_getinfo(c.first.get(), CURLINFO_RESPONSE_CODE, &got.status);
  }
  static std::size_t append(char* data, std::size_t, std::size_t n, void* to) {
    static_cast<std::string*>(to)->append(data, n);
    return n;
  }

  handle request(const std::string& path, const std::vector<std::string>& headers) {
    handle h(curl_easy_init(), nullptr);
    curl_slist* list = nullptr;
    for (const auto& line : headers) list = curl_slist_append(list, line.c_str());
    list = curl_slist_append(list, ("Authorization: Bearer " + key_).c_str());
    h.second.reset(list);
    curl_easy_setopt(h.first.get(), CURLOPT_URL, (base_ + path).c_str());
    curl_easy_setopt(h.first.get(), CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(h.first.get(), CURLOPT_CONNECTTIMEOUT, connect_timeout_s);
    curl_easy_setopt(h.first.get(), CURLOPT_NOSIGNAL, 1L);
    return h;
  }

  std::string base_, key_;
};

// Reads events off a session's stream, and where to go on after a lost connection.
class event_reader {
 public:
  explicit event_reader(std::string after) : last_id_(std::move(after)) {}
  virtual ~event_reader() = default;

  // False ends the stream: nothing more is wanted.
  bool take(std::string_view bytes);
  // Called now and then, also while nothing comes.
  virtual void between() {}
  void connection_lost() { buffer_.clear(); }
  const std::string& last_id() const { return last_id_; }
  virtual bool done() const = 0;

 protected:
  virtual void on_event(const event& e) = 0;

 private:
  void on_frame(std::string_view frame);
  std::string buffer_, last_id_;
};

// Reads the session's events until `reader` is done, through lost connections; gives up after a
// minute without one.
void follow(http_client& client, const std::string& session, event_reader& reader);

// A member of a JSON object that is text; empty where there is none.
std::string text_of(const std::string& json, std::string_view name);

}  // namespace soma
