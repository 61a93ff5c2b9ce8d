// Says at once that a body is what its schema takes, where the schema is plain enough to be read as
// a table. What it does not accept may be good all the same: the validator decides, and words the
// refusal. So it may be stricter than the schema, never laxer; tests/http/quick_schema_test.cpp
// holds it to that against the validator.
//
// Threads: a compiled schema never changes. Lifetime: a value. Errors: none.
#pragma once

#include <boost/json/fwd.hpp>
#include <memory>

namespace soma::http {

class quick_schema {
 public:
  // One that accepts nothing, which is also what becomes of a schema beyond it.
  quick_schema();
  explicit quick_schema(const boost::json::value& schema);
  ~quick_schema();
  quick_schema(quick_schema&&) noexcept;
  quick_schema& operator=(quick_schema&&) noexcept;

  bool accepts(const boost::json::value& body) const;

 private:
  struct node;
  std::unique_ptr<const node> root_;
};

}  // namespace soma::http
