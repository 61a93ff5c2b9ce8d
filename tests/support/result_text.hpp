// How doctest prints a result: its error, or only that there is a value. Boost's own operator<< for
// results takes every type and then fails to compile for those that cannot be printed.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "core/error.hpp"

namespace doctest {

template <class T>
struct StringMaker<boost::system::result<T, soma::error>> {
  static String convert(const boost::system::result<T, soma::error>& r) {
    if (r.has_value()) return "a value";
    const auto why = r.error();
    return (std::string(why.code) + ": " + why.detail).c_str();
  }
};

}  // namespace doctest
