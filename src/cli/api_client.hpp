// A client of the public API for the subcommands that are one: chat, tools, memory. Each call
// blocks, and ends early where `given_up` says so.
#pragma once

#include <curl/curl.h>

#include <functional>
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

// A server, and how it is known where that is not by its name.
struct server_address {
  std::string url;  // without a final slash
  std::string
      pin;  // of its public key, as libcurl takes it; empty: certificates are judged as usual
};
// The one given, else that of the configuration that the environment gives: on this machine, known
// by the very certificate that it is configured with.
server_address server_of(std::string given);

// Where the bytes of an answer go that is read while it comes.
class stream_reader {
 public:
  virtual ~stream_reader() = default;
  // False ends the stream: nothing more is wanted.
  virtual bool take(std::string_view bytes) = 0;
  // Called now and then, also while nothing comes.
  virtual void between() {}
  virtual bool done() const = 0;
};

// One request at a time to one server.
class http_client {
 public:
  http_client(server_address server, std::string key, std::function<bool()> given_up = {});

  const std::string& base() const { return base_; }
  bool has_key() const { return !key_.empty(); }
  bool given_up() const { return given_up_ && given_up_(); }

  answer get(const std::string& path);
  answer post(const std::string& path, const std::string& json, const std::string& idempotency_key);
  answer remove(const std::string& path);
  // As post, whether anybody gave up or not.
  answer insist(const std::string& path, const std::string& json,
                const std::string& idempotency_key);
  // Gives the stream's bytes to `reader` until it says stop, the connection ends, or nothing came
  // for a while, heartbeats included. A status other than 200 is given back with its body.
  answer stream(const std::string& path, stream_reader& reader);

 private:
  using handle =
      std::pair<std::unique_ptr<CURL, curl_deleter>, std::unique_ptr<curl_slist, slist_deleter>>;

  handle request(const std::string& path, std::vector<std::string> headers) const;
  answer perform(const handle& c, bool insisting) const;

  const std::string base_, pin_, key_;
  const std::function<bool()> given_up_;
};

// Reads events off a session's stream, and where to go on after a lost connection.
class event_reader : public stream_reader {
 public:
  explicit event_reader(std::string after) : last_id_(std::move(after)) {}

  bool take(std::string_view bytes) override;
  // The server is away; it is tried again.
  virtual void on_away() {}
  void connection_lost() { buffer_.clear(); }
  const std::string& last_id() const { return last_id_; }

 protected:
  virtual void on_event(const event& e) = 0;

 private:
  void on_frame(std::string_view frame);
  std::string buffer_, last_id_;
};

// Reads the session's events until `reader` is done, through lost connections and a server that is
// busy; gives up after a minute of them, at a refusal that another try would not change, or where
// the client gave up while the server was away. What the last try ended with; 200: all is well.
answer follow(http_client& client, const std::string& session, event_reader& reader);

// Waits a second, or until somebody gives up.
void wait_a_second(const http_client& client);

// Why an answer is none that was wanted, in a sentence for a person.
std::string reason_of(const http_client& client, const answer& got);

// A member of a JSON object that is text; empty where there is none.
std::string text_of(const std::string& json, std::string_view name);

}  // namespace soma
