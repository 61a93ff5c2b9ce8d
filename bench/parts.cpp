// soma-parts: what single parts of the server cost, in one process and without HTTP: a decision by
// rules, one of OPA that is kept, one that OPA is asked for beside a bare call to it, a record of
// the audit, and checking a chain.
//
//   soma-parts [--opa http://127.0.0.1:8181] [--records N] [--decisions N] [--folder DIR]
//
// Rounds of what is held against each other alternate. Times are of the thread that asks; `CPU` is
// that of the whole process.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "node/policy.hpp"
#include "security/audit/audit_chain_log.hpp"
#include "security/audit/audit_key.hpp"
#include "security/audit/audit_verifier.hpp"
#include "security/policy/decision_source.hpp"

namespace {

using namespace soma;
using clock_type = std::chrono::steady_clock;

struct options {
  std::string opa;
  std::size_t records = 500'000, decisions = 200'000, calls = 2'000;
  std::filesystem::path folder = std::filesystem::temp_directory_path() / "soma-parts";
};

double us_between(clock_type::time_point a, clock_type::time_point b) {
  return std::chrono::duration<double, std::micro>(b - a).count();
}

double cpu_s(clockid_t of) {
  timespec t{};
  ::clock_gettime(of, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

double percentile(std::vector<double> all, double share) {
  std::sort(all.begin(), all.end());
  return all[static_cast<std::size_t>(share * static_cast<double>(all.size() - 1))];
}

void tell(const char* what, double value, const char* unit, const char* bound = "") {
  std::printf("%-58s %12.2f %s%s%s\n", what, value, unit, *bound ? "; at most " : "", bound);
}

// ---- policy ----

std::unique_ptr<security::policy> policy_with(const std::string& opa) {
  config_sources from;
  if (!opa.empty()) from.env["OPA_URL"] = opa;
  auto settings = load_config(from);
  if (!settings) throw std::runtime_error(settings.error().detail);
  auto made = make_policy(*settings);
  if (!made) throw std::runtime_error(made.error().detail);
  return std::move(*made);
}

security::policy_input question(const std::string& resource) {
  security::policy_input asked{"default", "ann", "user", "conversation.send", resource};
  asked.owner = "ann";
  asked.door = "http";
  return asked;
}

void require(const security::decision& said) {
  if (!said.allow) throw std::runtime_error("it was not allowed: " + said.reason);
}

std::vector<double> times_of_now(const security::policy& by, std::size_t count) {
  std::vector<double> out;
  out.reserve(count);
  const std::string resource = "11111111-2222-4333-8444-555555555555";
  const auto asked = question(resource);
  for (std::size_t i = 0; i < count; ++i) {
    const auto begin = clock_type::now();
    auto said = by.decide_now(asked);
    out.push_back(us_between(begin, clock_type::now()));
    require(said);
  }
  return out;
}

double time_of_asking(const security::policy& by, const std::string& resource) {
  const security::policy_input asked[] = {question(resource)};
  security::decision said[1];
  const auto begin = clock_type::now();
  by.decide_waiting(asked, said);
  const auto took = us_between(begin, clock_type::now());
  require(said[0]);
  return took;
}

// Blocking HTTP over one kept connection: the least that asking OPA can cost.
class bare_caller {
 public:
  explicit bare_caller(const std::string& url) {
    constexpr std::string_view begin = "http://127.0.0.1:";
    if (!url.starts_with(begin)) throw std::runtime_error("--opa must be on 127.0.0.1");
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(begin.size()))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const timeval limit{5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("nobody listens at " + url);
  }
  ~bare_caller() { ::close(fd_); }
  bare_caller(const bare_caller&) = delete;

  double time_of(const std::string& path, const std::string& body) {
    const auto text = "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " +
                      "application/json\r\nContent-Length: " + std::to_string(body.size()) +
                      "\r\n\r\n" + body;
    const auto begin = clock_type::now();
    if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
      throw std::runtime_error("OPA takes no call");
    std::string answer;
    char piece[16 * 1024];
    for (;;) {
      const auto n = ::recv(fd_, piece, sizeof piece, 0);
      if (n <= 0) throw std::runtime_error("OPA gives no answer");
      answer.append(piece, static_cast<std::size_t>(n));
      if (is_whole(answer)) break;
    }
    return us_between(begin, clock_type::now());
  }

 private:
  static bool is_whole(const std::string& answer) {
    const auto head = answer.find("\r\n\r\n");
    if (head == answer.npos) return false;
    const auto length = answer.find("Content-Length: ");
    if (length == answer.npos || length > head) throw std::runtime_error("an answer of no length");
    return answer.size() >= head + 4 + std::stoul(answer.substr(length + 16));
  }
  int fd_ = -1;
};

void measure_policy(const options& o) {
  const auto rules = policy_with({});
  (void)times_of_now(*rules, o.decisions / 10);
  const auto times = times_of_now(*rules, o.decisions);
  tell("policy, rules: a decision, p50", percentile(times, 0.5), "µs", "3");
  tell("policy, rules: a decision, p99", percentile(times, 0.99), "µs");
  if (o.opa.empty()) return std::puts("policy, OPA: not measured (--opa)"), void();
  const auto joined = policy_with(o.opa);
  const std::string kept = "11111111-2222-4333-8444-555555555555";
  std::vector<double> cached;
  // What is kept is kept for two seconds.
  for (int round = 0; round < 10; ++round) {
    (void)time_of_asking(*joined, kept);
    const auto more = times_of_now(*joined, o.decisions / 100);
    cached.insert(cached.end(), more.begin(), more.end());
  }
  tell("policy, OPA: a kept answer, p50", percentile(cached, 0.5), "µs", "5");
  bare_caller bare(o.opa);
  const auto path = std::string("/v1/data/soma/policy/decision");
  const auto opa = security::make_opa("soma/policy/decision");
  std::vector<double> asked, plain;
  for (std::size_t i = 0; i < o.calls; ++i) {
    const auto resource = "session-" + std::to_string(i);
    const security::policy_input one[] = {question(resource)};
    const auto body = opa->body(one, 1'700'000'000'000);
    const auto there = [&] { asked.push_back(time_of_asking(*joined, resource)); };
    if (i % 2 == 0) there();
    plain.push_back(bare.time_of(path, body));
    if (i % 2 != 0) there();
  }
  tell("policy, OPA: a bare call to it, p50", percentile(plain, 0.5), "µs");
  tell("policy, OPA: asked, p50", percentile(asked, 0.5), "µs");
  tell("policy, OPA: asked against a bare call", percentile(asked, 0.5) / percentile(plain, 0.5),
       "times", "1.5");
}

// ---- the audit ----

void measure_audit(const options& o) {
  std::filesystem::remove_all(o.folder);
  std::filesystem::create_directories(o.folder);
  const auto data = o.folder.string();
  auto key = security::audit_key::make(data);
  if (!key) throw std::runtime_error(key.error().detail);
  const auto public_key = key->public_text();
  security::audit_log_options how;
  how.chain.folder = data + "/audit";
  auto log = security::open_audit_chain(std::move(how), std::move(*key));
  if (!log) throw std::runtime_error(log.error().detail);
  security::audit_record r;
  r.what = "conversation.send";
  r.tenant_id = "default";
  r.user_id = "admin";
  r.role = "admin";
  r.why = "talk";
  r.operation = "append_event";
  r.door = "http";
  r.resource = r.session_id = "11111111-2222-4333-8444-555555555555";
  r.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  const auto own = cpu_s(CLOCK_THREAD_CPUTIME_ID), all = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
  for (std::size_t i = 0; i < o.records; ++i) {
    const auto request = "11111111-2222-4333-8444-" + std::to_string(555'555'000'000 + i);
    r.request_id = request;
    r.outcome = "interrupted";
    r.status = 0;
    const auto begun = (*log)->begin(r);
    r.outcome = "done";
    r.status = 202;
    (*log)->end(begun, r);
    // As many at once as clients have under way.
    constexpr std::size_t at_once = 64;
    if (i % at_once == at_once - 1) (void)(*log)->flush(std::chrono::seconds(10));
  }
  (void)(*log)->flush(std::chrono::seconds(10));
  const auto each = 1e6 / static_cast<double>(o.records);
  tell("audit: CPU of an operation's thread", (cpu_s(CLOCK_THREAD_CPUTIME_ID) - own) * each, "µs");
  tell("audit: CPU of a record in all", (cpu_s(CLOCK_PROCESS_CPUTIME_ID) - all) * each, "µs");
  tell("audit: records lost", static_cast<double>((*log)->lost()), "", "0");
  (void)(*log)->sign(std::chrono::seconds(10));
  log->reset();
  security::audit_check check;
  check.public_key = public_key;
  for (int round = 0; round < 3; ++round) {
    const auto begin = clock_type::now();
    const auto found = security::verify_audit(data + "/audit", check);
    const auto took = us_between(begin, clock_type::now());
    if (!found || !found->right) throw std::runtime_error("the chain is not right");
    tell("audit: verify, records/s (at least 300,000)",
         static_cast<double>(found->records) / took * 1e6, "/s");
  }
  std::filesystem::remove_all(o.folder);
}

}  // namespace

int main(int argc, char** argv) {
  options o;
  CLI::App app{"What single parts of the server cost."};
  app.add_option("--opa", o.opa, "where an OPA with config/policy/soma.rego listens");
  app.add_option("--records", o.records, "records of the audit");
  app.add_option("--decisions", o.decisions, "decisions by rules");
  app.add_option("--calls", o.calls, "calls to OPA");
  app.add_option("--folder", o.folder, "made anew and removed");
  CLI11_PARSE(app, argc, argv);
  try {
    measure_policy(o);
    measure_audit(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "soma-parts: %s\n", e.what());
    return 1;
  }
  return 0;
}
