// An expected failure as a value. `code` is one of the stable, documented codes in core/codes.hpp
// (schemas/codes.md); `detail` is a sentence for a person and never holds a secret or message text.
// A bug is an assert, never an `error`.
#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace soma {

struct error {
  std::string_view code;  // static storage: a constant of core/codes.hpp
  std::string detail;
  int retry_after_s = 0;  // > 0 where the caller should wait before trying again
  std::string parameter;  // the name of the request's parameter that is at fault, where one is
  std::string rule;       // of policy, that refused it

  error() = default;  // what result::error() gives where there is none
  error(std::string_view c, std::string d, int retry_s = 0)
      : code(c), detail(std::move(d)), retry_after_s(retry_s) {}

  // The same error, naming the parameter.
  error about(std::string_view name) && {
    parameter = name;
    return std::move(*this);
  }
  // The same error, naming the rule.
  error by_rule(std::string name) && {
    rule = std::move(name);
    return std::move(*this);
  }
};

// Called by boost::system::result when a failure is read as a value: that is a bug of the caller.
[[noreturn]] inline void throw_exception_from_error(const error& e, const boost::source_location&) {
  throw std::logic_error(std::string("unchecked result: ") + std::string(e.code) + ": " + e.detail);
}

template <class T>
using result = boost::system::result<T, error>;

}  // namespace soma
