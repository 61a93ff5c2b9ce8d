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

TEST_CASE("relay: what was handed over is not handed over again") {
  world w;
  node a(w, "a"), b(w, "b");
  w.owned_by("a");
  relayed_caller who;
  who.who.tenant = tenant_id("t");
  who.who.role = app::role::user;
  const auto target = "/v1/sessions/" + a_session.session.value;
  const auto signed_one = write_relayed(relay_key, who, "DELETE", target, "r-1");
  const auto fields = "X-Request-ID: r-1\r\nSoma-Caller: " + signed_one + "\r\n";
  const auto answer = ask(b.runs->node_port(), request("DELETE " + target, fields));
  CHECK(code_of(answer) == "cluster.not_owner");
  CHECK(a.carried_out == 0);
}

TEST_CASE("relay: the door for nodes believes nobody but them") {
  world w;
  node a(w, "a");
  w.owned_by("a");
  const auto target = "/v1/sessions/" + a_session.session.value;
  relayed_caller who;
  who.who.tenant = tenant_id("t");
  who.who.role = app::role::admin;
  const auto with = [&](const std::string& header) {
    return code_of(
        talk(a.runs->node_port(), request("DELETE " + target, "X-Request-ID: r-1\r\n" + header)));
  };
  CHECK(with("") == "auth.invalid");
  CHECK(with("Soma-Caller: x.y\r\n") == "auth.invalid");
  const auto other = write_relayed(relay_key_of("another"), who, "DELETE", target, "r-1");
  CHECK(with("Soma-Caller: " + other + "\r\n") == "auth.invalid");
  const auto of_another = write_relayed(relay_key, who, "DELETE", target, "r-2");
  CHECK(with("Soma-Caller: " + of_another + "\r\n") == "auth.invalid");
  const auto elsewhere = write_relayed(relay_key, who, "DELETE", target + "0", "r-1");
  CHECK(with("Soma-Caller: " + elsewhere + "\r\n") == "auth.invalid");
  CHECK(a.carried_out == 0);
  // And a client's header means nothing at the door for clients.
  const auto good = write_relayed(relay_key, who, "DELETE", target, "r-1");
  CHECK(status_of_text(
            ask(a.port(), request("DELETE " + target, "Soma-Caller: " + good + "\r\n"))) == 204);
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
