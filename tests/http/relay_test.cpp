// Requests that one node hands over to another.
#include <doctest/doctest.h>

#include "http/relay_world.hpp"

using namespace soma;
using namespace soma::http;

TEST_CASE("relay: any node takes a request to its owner, and gives back what that answers") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  const auto trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
  const auto answer =
      ask(a.port(),
          request(to_session("POST", "/events"),
                  std::string("X-Request-ID: r-1\r\ntraceparent: ") + trace + "\r\n", "the body"));
  CHECK(status_of_text(answer) == 202);
  CHECK(body_of(answer) == "b|somebody|0123456789abcdef0123456789abcdef|2|the body|");
  CHECK(header_of(answer, "X-Request-ID") == "r-1");
  CHECK(header_of(answer, "Location") == "/somewhere");
  CHECK(header_of(answer, "Soma-Position") == std::to_string(w.partition()) + ".99");
  CHECK(a.carried_out == 0);
  CHECK(a.to_owners.counted().handed_over == 1);
  // A key of the node's own makes it safe to ask again; the client's goes as it is.
  CHECK(b.keys.begin()->starts_with("node-"));
  ask(a.port(), request(to_session("POST", "/events"), "Idempotency-Key: mine\r\n", "x"));
  CHECK(b.keys.count("mine") == 1);
  CHECK(status_of_text(ask(a.port(), request(to_session("DELETE")))) == 204);
  // At the owner itself nothing is handed over.
  CHECK(body_of(ask(b.port(), request(to_session("POST", "/events"), {}, "x"))).starts_with("b|"));
  CHECK(b.to_owners.counted().handed_over == 0);
}

TEST_CASE("relay: connections are kept, and many requests go at once") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  std::vector<std::thread> askers;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i)
    askers.emplace_back([&] {
      for (int n = 0; n < 50; ++n)
        good += status_of_text(ask(a.port(), request(to_session("DELETE")))) == 204;
    });
  for (auto& one : askers) one.join();
  CHECK(good == 400);
  CHECK(b.runs->open_connections() == 0);
}

TEST_CASE("relay: bodies and files stream through, larger than anything that is kept") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  const std::string body(24u << 20, 'y');
  const auto up = ask(a.port(), request("POST /v1/uploads", {}, body));
  CHECK(status_of_text(up) == 201);
  CHECK(body_of(up) ==
        "b|" + std::to_string(body.size()) + "|" + std::to_string(body.size() * 'y'));
  const auto down = ask(
      a.port(), request("GET /v1/workdir/read?session_id=" + a_session.session.value + "&path=a"));
  CHECK(status_of_text(down) == 200);
  CHECK(header_of(down, "Content-Type") == "text/x-of-a-file");
  CHECK(header_of(down, "Content-Security-Policy").find("sandbox") != std::string::npos);
  CHECK(body_of(down).size() == 16u << 20);
  const auto head =
      ask(a.port(),
          request("HEAD /v1/workdir/read?session_id=" + a_session.session.value + "&path=a"), true);
  CHECK(header_of(head, "Content-Length") == std::to_string(16u << 20));
  b.refuses = 1;
  CHECK(status_of_text(talk(a.port(), request("POST /v1/uploads", {}, body))) == 413);
}

TEST_CASE("relay: a request waits for an owner, and is told where none comes") {
  world w;
  node a(w, "a"), b(w, "b");
  std::thread takes_over([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    w.owned_by("b");
  });
  CHECK(status_of_text(ask(a.port(), request(to_session("DELETE")))) == 204);
  takes_over.join();
  CHECK(b.carried_out == 1);
  CHECK(a.to_owners.counted().waited == 1);
  w.owned_by("nobody who is heard");
  const auto answer = ask(a.port(), request(to_session("DELETE")));
  CHECK(status_of_text(answer) == 503);
  CHECK(code_of(answer) == "cluster.no_owner");
  CHECK(header_of(answer, "Retry-After") == "1");
}

TEST_CASE("relay: what wrote nothing is tried again, at whoever owns it then") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  b.refuses = 2;
  CHECK(status_of_text(ask(a.port(), request(to_session("POST", "/events"), {}, "x"))) == 202);
  CHECK(b.carried_out == 3);
  w.owned_by("a");
  a.refuses = 1;
  CHECK(status_of_text(ask(a.port(), request(to_session("POST", "/events"), {}, "x"))) == 202);
  CHECK(a.carried_out == 2);
}

TEST_CASE("relay: where the owner dies over it, it is done once with a key, and else not known") {
  world w;
  node a(w, "a"), b(w, "b");
  dying_node dies;
  (*w.doors)["c"] = std::string(loopback_address) + ":" + std::to_string(dies.port);
  dies.then = [&] { w.owned_by("b"); };
  w.owned_by("c");
  CHECK(status_of_text(ask(a.port(), request(to_session("POST", "/events"), {}, "x"))) == 202);
  CHECK(b.carried_out == 1);
  CHECK(dies.taken == 1);
  w.owned_by("c");
  const auto answer = ask(a.port(), request(to_session("DELETE")));
  CHECK(code_of(answer) == "cluster.timeout");
  CHECK(b.carried_out == 1);
}

TEST_CASE("relay: who hangs over a request is waited for as long as it is heard, and no longer") {
  world w;
  node a(w, "a"), b(w, "b");
  hanging_node hangs;
  (*w.doors)["c"] = std::string(loopback_address) + ":" + std::to_string(hangs.port);
  w.owned_by("c");
  std::thread falls_silent([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const std::lock_guard lock(w.log->mutex);
    for (auto& owner : w.log->owners) owner = "b";
  });
  // Its door is the one of another node from then on: as if it were not heard.
  const auto began = std::chrono::steady_clock::now();
  std::thread forgotten([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    a.links.deaf_to("c");
  });
  const auto answer = ask(a.port(), request(to_session("POST", "/events"), {}, "x"));
  falls_silent.join();
  forgotten.join();
  // It has a key of its node's, so the next owner does it, though it has waited for long.
  CHECK(status_of_text(answer) == 202);
  CHECK(b.carried_out == 1);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(4));
}

TEST_CASE("relay: what was handed over is not handed over again") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("a");
  const auto target = "/v1/sessions/" + a_session.session.value;
  const auto answer =
      ask(b.runs->node_port(),
          request("DELETE " + target, signed_by_node("DELETE", target, app::role::user)));
  CHECK(code_of(answer) == "cluster.not_owner");
  CHECK(header_of(answer, "Soma-Not-Begun") == "1");
  CHECK(a.carried_out + b.carried_out == 0);
}

TEST_CASE("relay: the door for nodes believes nobody but them") {
  world w;
  node a(w, "a");
  w.owned_by("a");
  const auto target = "/v1/sessions/" + a_session.session.value;
  const auto with = [&](const std::string& header, const std::string& body = {}) {
    return code_of(talk(a.runs->node_port(), request("DELETE " + target, header, body)));
  };
  const auto admin = app::role::admin;
  CHECK(with("X-Request-ID: r-1\r\n") == "auth.invalid");
  CHECK(with("X-Request-ID: r-1\r\nSoma-Caller: x.y\r\n") == "auth.invalid");
  const auto other_key = relay_key_of("another");
  CHECK(with(signed_by_node("DELETE", target, admin, {}, now_ms(), other_key)) == "auth.invalid");
  CHECK(with(signed_by_node("POST", target, admin)) == "auth.invalid");
  CHECK(with(signed_by_node("DELETE", target + "0", admin)) == "auth.invalid");
  auto of_another = signed_by_node("DELETE", target, admin);
  of_another.replace(of_another.find("r-1"), 3, "r-2");
  CHECK(with(of_another) == "auth.invalid");
  // Who saw one cannot use it later.
  CHECK(with(signed_by_node("DELETE", target, admin, {}, now_ms() - 31'000)) == "auth.invalid");
  CHECK(with(signed_by_node("DELETE", target, admin, {}, now_ms() + 31'000)) == "auth.invalid");
  CHECK(a.carried_out == 0);
  // And a client may not say it at the door for clients.
  const auto good = signed_by_node("DELETE", target, admin);
  const auto answer = talk(a.port(), request("DELETE " + target, good));
  CHECK(status_of_text(answer) == 400);
  CHECK(a.carried_out == 0);
  CHECK(status_of_text(ask(a.runs->node_port(), request("DELETE " + target, good))) == 204);
}

TEST_CASE("relay: what a node signed is good for its body alone") {
  world w;
  node a(w, "a");
  w.owned_by("a");
  const auto target = "/v1/sessions/" + a_session.session.value + "/events";
  const auto header = signed_by_node("POST", target, app::role::user, "give one");
  CHECK(code_of(ask(a.runs->node_port(), request("POST " + target, header, "give all"))) ==
        "auth.invalid");
  CHECK(a.carried_out == 0);
  CHECK(status_of_text(ask(a.runs->node_port(), request("POST " + target, header, "give one"))) ==
        202);
}

TEST_CASE("relay: clocks of nodes may be an hour apart") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  b.who.ahead_ms = 3'600'000;
  CHECK(status_of_text(ask(a.port(), request(to_session("DELETE")))) == 401);
  a.links.ahead_ms = 3'600'000;  // as b's heartbeats tell
  CHECK(status_of_text(ask(a.port(), request(to_session("DELETE")))) == 204);
}

TEST_CASE("relay: a new owner is waited for until it may act, and asked once") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  b.host.acts = false;
  std::vector<std::thread> askers;
  std::atomic<int> good{0};
  for (const auto port : {a.port(), b.port()})
    for (int i = 0; i < 5; ++i)
      askers.emplace_back(
          [&, port] { good += status_of_text(ask(port, request(to_session("DELETE")))) == 204; });
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  CHECK(b.carried_out == 0);
  b.host.acts = true;
  for (auto& one : askers) one.join();
  CHECK(good == 10);
  CHECK(b.carried_out == 10);
  CHECK(a.to_owners.counted().handed_over == 5);
  // What is of no session and known by its key needs no lease.
  b.host.acts = false;
  CHECK(status_of_text(ask(a.port(), request(to_session("DELETE")))) == 503);
}

TEST_CASE("relay: what has no key is not done again where a part of it may be there") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  for (const auto port : {a.port(), b.port()}) {
    b.carried_out = 0;
    b.refuses = 1;
    const auto answer = ask(port, request(to_session("DELETE")));
    CHECK(code_of(answer) == "cluster.owner_lost");
    CHECK(header_of(answer, "Retry-After") == "1");
    CHECK(b.carried_out == 1);
  }
}

TEST_CASE("relay: a sign-in is carried out where documents are, with what the browser keeps") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("a");
  {
    const std::lock_guard lock(w.log->mutex);
    w.log->owners[cluster::documents_partition] = "b";
  }
  const auto answer = ask(a.port(), request("POST /v1/auth/login", {}, "the key"));
  CHECK(body_of(answer).starts_with("b|"));
  CHECK(body_of(answer).ends_with("|the key|c=1"));
}

TEST_CASE("relay: an owner decides by no older documents than the node that hands over") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  b.host.behind = 10;
  const auto post = request(to_session("POST", "/events"), {}, "x");
  CHECK(code_of(ask(a.port(), post)) == "cluster.behind");
  CHECK(b.carried_out == 0);
  std::thread reads([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    b.host.behind = 0;
  });
  CHECK(status_of_text(ask(a.port(), post)) == 202);
  reads.join();
  // And by none older than its client has seen, here and there.
  for (const auto port : {a.port(), b.port()}) {
    const auto seen = request(to_session("POST", "/events"), "Soma-Position: 0.99, 3.200\r\n", "x");
    CHECK(code_of(ask(port, seen)) == "cluster.behind");
  }
}

TEST_CASE("relay: whose key may be revoked is not believed by a node that does not hear of it") {
  world w;
  node a(w, "a");
  w.owned_by("a");
  a.links.silent_ms = 60'000;
  CHECK(code_of(ask(a.port(), request(to_session("GET")))) == "cluster.behind");
  CHECK(code_of(ask(a.port(), request(to_session("DELETE")))) == "cluster.behind");
  const auto stream = "GET /v1/session/" + a_session.session.value + "/events";
  CHECK(body_of(ask(a.port(), request(stream))).starts_with("retry: "));
  CHECK(a.carried_out == 0);
  CHECK(status_of_text(ask(a.port(), request("POST /v1/auth/login", {}, "x"))) == 202);
}

TEST_CASE("relay: many who miss something ask the owner once") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  a.host.behind = 10;
  b.host.acts = false;  // so it does not say, for a while
  std::vector<std::thread> askers;
  std::atomic<int> good{0};
  for (int i = 0; i < 30; ++i)
    askers.emplace_back(
        [&] { good += body_of(ask(a.port(), request(to_session("GET")))) == "\"a\""; });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  a.host.behind = 0;
  b.host.acts = true;
  for (auto& one : askers) one.join();
  CHECK(good == 30);
  CHECK(a.to_owners.counted().asked < 40);  // else some 240
  CHECK(b.carried_out == 0);
}

TEST_CASE("relay: nothing is not there before as much is read as the owner had") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  a.host.behind = 10;
  std::thread reads([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    a.host.behind = 0;
  });
  CHECK(body_of(ask(a.port(), request(to_session("GET")))) == "\"a\"");
  reads.join();
  a.host.behind = 10;
  CHECK(code_of(ask(a.port(), request(to_session("GET")))) == "cluster.behind");
  // The same of what is of no session.
  CHECK(code_of(ask(a.port(), request("GET /v1/memories/x"))) == "cluster.behind");
  a.host.behind = 0;
  const auto there = ask(a.port(), request("GET /v1/memories/x"));
  CHECK(header_of(there, "Soma-Position") == "0.99");
}

TEST_CASE("relay: what a node does not follow it has from the owner, and waits for nothing") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  a.host.follows = false;
  CHECK(body_of(ask(a.port(), request(to_session("GET")))) == "\"b\"");
  const auto begin = std::chrono::steady_clock::now();
  CHECK(status_of_text(ask(a.port(), request(to_session("DELETE")))) == 204);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(300));
  const auto stream = "GET /v1/session/" + a_session.session.value + "/events";
  CHECK(body_of(ask(a.port(), request(stream, "Last-Event-ID: 1.2\r\n"))) == "\"b\"");
}

TEST_CASE("relay: who names a position is answered once that is read") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  const auto at = "Soma-Position: " + std::to_string(w.partition()) + ".99\r\n";
  CHECK(status_of_text(ask(a.port(), request(to_session("GET"), at))) == 200);
  a.host.behind = 5;
  CHECK(code_of(ask(a.port(), request(to_session("GET"), at))) == "cluster.behind");
  const auto before = "Soma-Position: " + std::to_string(w.partition()) + ".94\r\n";
  const auto answer = ask(b.port(), request(to_session("GET"), before));
  CHECK(status_of_text(answer) == 200);
  CHECK(header_of(answer, "Soma-Position") == std::to_string(w.partition()) + ".99");
}

TEST_CASE("relay: a stream that goes on is asked to come again where it is not known how far") {
  world w;
  node a(w, "a");
  w.owned_by("nobody who is heard");
  const auto stream = "GET /v1/session/" + a_session.session.value + "/events";
  const auto answer = ask(a.port(), request(stream, "Last-Event-ID: 1.2\r\n"));
  CHECK(status_of_text(answer) == 200);
  CHECK(header_of(answer, "Content-Type") == "text/event-stream");
  CHECK(body_of(answer).starts_with("retry: "));
  CHECK(body_of(ask(a.port(), request(stream))) == "\"a\"");
}

TEST_CASE("relay: beyond the loopback both show a certificate of the cluster's authority") {
  soma::testing::temp_folder ours, theirs;
  soma::testing::make_cluster_certificates(ours.path());
  soma::testing::make_cluster_certificates(theirs.path());
  world w;
  node a(w, "a", ours.path()), b(w, "b", ours.path()), x(w, "x", theirs.path()), plain(w, "p");
  w.owned_by("b");
  const std::string body(3u << 20, 'y');
  CHECK(body_of(ask(a.port(), request("POST /v1/uploads", {}, body))).starts_with("b|3145728|"));
  for (int i = 0; i < 5; ++i)
    CHECK(status_of_text(ask(a.port(), request(to_session("DELETE")))) == 204);
  CHECK(code_of(ask(x.port(), request(to_session("DELETE")))) == "cluster.no_owner");
  CHECK(status_of_text(ask(plain.port(), request(to_session("DELETE")))) == 503);
  // Whoever has no certificate is told nothing.
  CHECK(talk(b.runs->node_port(), request(to_session("DELETE"))).empty());
  CHECK(b.carried_out == 5);
  w.owned_by("x");
  CHECK(status_of_text(ask(a.port(), request(to_session("DELETE")))) == 503);
  CHECK(x.carried_out == 0);
}

TEST_CASE("relay: a file is had from whichever node has its bytes") {
  world w;
  node a(w, "a"), b(w, "b"), c(w, "c");
  w.owned_by("a");
  (*w.doors)["b0"] = "127.0.0.1:1";  // nobody listens
  CHECK(code_of(ask(a.port(), request("GET /v1/attachments/x"))) == "attachment.not_found");
  c.has_file = true;
  CHECK(body_of(ask(a.port(), request("GET /v1/attachments/x"))) == "\"c\"");
  a.has_file = true;
  CHECK(body_of(ask(a.port(), request("GET /v1/attachments/x"))) == "\"a\"");
}

TEST_CASE("relay: a node that owns nothing makes sessions, too") {
  world w;
  node a(w, "a"), b(w, "b"), c(w, "c");
  w.owned_by("b");
  {
    const std::lock_guard lock(w.log->mutex);
    for (std::size_t i = 0; i < w.log->owners.size(); i += 2) w.log->owners[i] = "c";
  }
  for (int i = 0; i < 20; ++i)
    CHECK(status_of_text(ask(a.port(), request("POST /v1/sessions", {}, "x"))) == 202);
  CHECK(b.carried_out + c.carried_out == 20);
  // In a partition that somebody owns, though most have nobody at the moment.
  {
    const std::lock_guard lock(w.log->mutex);
    for (std::size_t i = 0; i < w.log->owners.size(); ++i)
      w.log->owners[i] = i == 5 ? "c" : "somebody who is not heard";
  }
  c.carried_out = 0;
  for (int i = 0; i < 20; ++i)
    CHECK(status_of_text(ask(a.port(), request("POST /v1/sessions", {}, "x"))) == 202);
  CHECK(c.carried_out == 20);
}

TEST_CASE("relay: a new session is one of the node that makes it, or of its key's partition") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("b");
  {
    const std::lock_guard lock(w.log->mutex);
    w.log->owners[3] = "a";
  }
  CHECK(body_of(ask(a.port(), request("POST /v1/sessions", {}, "x"))).starts_with("a|"));
  std::set<std::string> at;
  for (int i = 0; i < 40; ++i) {
    const auto key = "Idempotency-Key: k" + std::to_string(i) + "\r\n";
    const auto first = body_of(ask(a.port(), request("POST /v1/sessions", key, "x"))).substr(0, 1);
    CHECK(first == body_of(ask(b.port(), request("POST /v1/sessions", key, "x"))).substr(0, 1));
    at.insert(first);
  }
  CHECK(at.size() == 2);
}
