// The one table of operations: what each is called, who may ask for it, which action policy judges,
// whether it leaves a record, by what a repeated request is known again, what comes in and goes
// out. Doors are made from it, tests are generated from it, and `soma operations` prints it.
//
// Constant; pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace soma::app {

enum class method : std::uint8_t { get, post, put, patch, delete_ };

// Who may ask. `optional` takes an anonymous caller too; `operation` is for what looks at the whole
// node: an admin, or the internal token.
enum class access : std::uint8_t { anyone, optional, user, admin, internal, operation };

// What is recorded: nothing; only refusals; how each ended, too.
enum class audited : std::uint8_t { no, denials, always };

// By what a request that comes again is known: nothing; its Idempotency-Key and what it asks for;
// its key and the bytes it brings.
enum class keyed : std::uint8_t { no, body, content };

// raw_json is read whole and left to its handler, which may read a form in it.
enum class body : std::uint8_t { none, json, optional_json, raw_json, stream };
enum class answer : std::uint8_t { json, none, text, file, stream };

// Which node of a cluster carries it out: whichever was asked; the one that owns the partition of
// the tenant; or of the session that it is about or makes.
enum class owner : std::uint8_t { node, tenant, session };

// A bound of a body, where it is not http.body_bytes_max.
enum class bound : std::uint8_t { usual, login, import, upload, model };

struct operation {
  std::string_view id;  // as in schemas/openapi.yaml
  app::method method = app::method::get;
  std::string_view path;
  app::access access = app::access::user;
  std::string_view action{};    // that policy judges; empty: none is asked
  std::string_view resource{};  // what is judged: path:NAME, body:NAME, query:NAME; empty: none
  app::audited audited = app::audited::no;
  app::keyed keyed = app::keyed::no;
  app::body body = app::body::none;
  app::bound bound = app::bound::usual;
  app::answer answer = app::answer::json;
  app::owner owner = app::owner::node;
  bool secret = false;            // the body has secrets: wiped once it is served
  bool ends_with_caller = false;  // cancelled when the caller is gone
  std::string_view same_as{};     // another spelling of this operation, which names it
};

std::span<const operation> operations();

// Whether what policy judges is a session.
bool names_a_session(const operation& what);
// Whether one is made where none is named.
bool makes_a_session(const operation& what);

// An id that is not in the table is a bug and aborts.
const operation& operation_named(std::string_view id);

// The table as NDJSON, for people and tests.
std::string operations_ndjson();

}  // namespace soma::app
