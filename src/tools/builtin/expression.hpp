// Works out an arithmetical expression exactly: numbers are fractions of whole numbers of any
// length, so that 0.1 + 0.2 is 0.3. Pure; time and memory are bounded by the limits below, whatever
// the text. docs/decisions/0082 says why it is written by hand.
//
//   sum      = product (("+" | "-") product)*       a ± b % is b percent of a
//   product  = sign (("*" | "/") sign)*
//   sign     = ("+" | "-")* power                   -2^2 is -4
//   power    = value "%"* ("^" sign)?               2^3^2 is 2^9
//   value    = number | name | name "(" sum ("," sum)* ")" | "(" sum ")"
//
// Names: pi, e; abs ceil floor trunc round(x[, digits]) sqrt mod(a, b) min max sum avg.
// Round goes away from zero at a half. "×", "·", "÷" and "−" are read as what they mean.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::tools {

inline constexpr std::size_t expression_bytes_max = 4096;
inline constexpr int expression_depth_max = 64;        // parentheses, signs and powers
inline constexpr unsigned expression_bits_max = 8192;  // of a numerator or denominator: 2466 digits
inline constexpr int expression_inexact_digits = 34;   // of what has no end, as decimal128 has

struct expression_value {
  std::string text;   // "64.7676"; no exponent
  bool exact = true;  // false: rounded to the digits above
};

// Error: tool.invalid_inputs, saying what is wrong and where.
result<expression_value> evaluate_expression(std::string_view text);

}  // namespace soma::tools
