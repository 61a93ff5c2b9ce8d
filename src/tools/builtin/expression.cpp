#include "tools/builtin/expression.hpp"

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cctype>
#include <utility>
#include <vector>

#include "core/codes.hpp"
#include "core/utf8.hpp"

namespace soma::tools {
namespace {

namespace mp = boost::multiprecision;
// Without expression templates: they keep references to numbers that are gone. And fractions are
// only reckoned with fractions: Boost 1.81 says that 1 divided by a whole number is 1.
using integer = mp::number<mp::cpp_int_backend<>, mp::et_off>;
using fraction = mp::number<mp::rational_adaptor<mp::cpp_int_backend<>>, mp::et_off>;

// Thrown and caught in this file only: a parser has too many ways out for results.
struct mistake {
  std::string what;
};

struct number {
  fraction value;
  bool exact = true;
  bool percent = false;  // written with a percent sign, of which `value` is the hundredth
};

unsigned bits(const integer& of) {
  return of == 0 ? 0 : static_cast<unsigned>(msb(mp::abs(of))) + 1;
}
unsigned bits(const fraction& of) {
  return std::max(bits(numerator(of)), bits(denominator(of)));
}

void check_size(const fraction& value) {
  if (bits(value) > expression_bits_max) throw mistake{"a number becomes too long"};
}

integer power_of_ten(unsigned exponent) {
  return pow(integer(10), exponent);
}

integer whole_part(const fraction& value) {
  return numerator(value) / denominator(value);
}

integer floor_of(const fraction& value) {
  const integer whole = whole_part(value);
  return value < fraction(whole) ? whole - 1 : whole;
}

// A half goes away from zero.
integer nearest(const fraction& value) {
  const fraction half(1, 2);
  return value < 0 ? integer(-floor_of(-value + half)) : floor_of(value + half);
}

int small_whole(const fraction& value, int max, const char* what) {
  if (denominator(value) != 1 || abs(numerator(value)) > max)
    throw mistake{std::string(what) + " is a whole number of at most " + std::to_string(max)};
  return static_cast<int>(numerator(value));
}

number raise(const number& base, const number& exponent) {
  if (denominator(exponent.value) != 1)
    throw mistake{"an exponent is a whole number; for a root there is sqrt"};
  const int n = small_whole(exponent.value, static_cast<int>(expression_bits_max), "an exponent");
  const auto times = static_cast<unsigned>(std::abs(n));
  if (base.value == 0 && n < 0) throw mistake{"division by zero"};
  // 1 and -1 have one bit, and stay what they are.
  if (bits(base.value) > 1 && (bits(base.value) - 1) * times > expression_bits_max)
    throw mistake{"a number becomes too long"};
  const integer top = pow(numerator(base.value), times);
  const integer bottom = pow(denominator(base.value), times);
  number out{n < 0 ? fraction(bottom, top) : fraction(top, bottom), base.exact && exponent.exact};
  check_size(out.value);
  return out;
}

number square_root(const number& of) {
  if (of.value < 0) throw mistake{"a negative number has no square root"};
  const integer top = sqrt(numerator(of.value)), bottom = sqrt(denominator(of.value));
  if (top * top == numerator(of.value) && bottom * bottom == denominator(of.value))
    return {fraction(top, bottom), of.exact};
  // Whole numbers again, with more digits behind the point than are shown in the end; for a small
  // number there are as many more as its zeros.
  const unsigned zeros = bits(denominator(of.value)) / 6;
  const unsigned digits = expression_inexact_digits + 6 + zeros;
  const integer scale = power_of_ten(digits);
  const integer scaled = numerator(of.value) * scale * scale / denominator(of.value);
  number out{fraction(sqrt(scaled), scale), false};
  check_size(out.value);
  return out;
}

number rounded(const number& value, int digits) {
  const integer scale = power_of_ten(static_cast<unsigned>(std::abs(digits)));
  if (digits >= 0) return {fraction(nearest(value.value * fraction(scale)), scale), value.exact};
  return {fraction(nearest(value.value / fraction(scale)) * scale), value.exact};
}

using arguments = std::vector<number>;

number total(const arguments& of) {
  number out{0};
  for (const auto& each : of) {
    out.value += each.value;
    check_size(out.value);
    out.exact = out.exact && each.exact;
  }
  return out;
}

number remainder(const number& a, const number& b) {
  if (b.value == 0) throw mistake{"division by zero"};
  return {a.value - b.value * fraction(floor_of(a.value / b.value)), a.exact && b.exact};
}

bool less(const number& a, const number& b) {
  return a.value < b.value;
}

struct function {
  std::string_view name;
  std::size_t least, most;
  number (*work)(const arguments&);
};
constexpr std::size_t any_number = 1000;
const function functions[] = {
    {"abs", 1, 1,
     [](const arguments& a) {
       return number{abs(a[0].value), a[0].exact};
     }},
    {"floor", 1, 1,
     [](const arguments& a) {
       return number{floor_of(a[0].value), a[0].exact};
     }},
    {"ceil", 1, 1,
     [](const arguments& a) {
       return number{-floor_of(-a[0].value), a[0].exact};
     }},
    {"trunc", 1, 1,
     [](const arguments& a) {
       return number{whole_part(a[0].value), a[0].exact};
     }},
    {"round", 1, 2,
     [](const arguments& a) {
       return rounded(a[0], a.size() < 2 ? 0 : small_whole(a[1].value, 100, "a count of digits"));
     }},
    {"sqrt", 1, 1, [](const arguments& a) { return square_root(a[0]); }},
    {"mod", 2, 2, [](const arguments& a) { return remainder(a[0], a[1]); }},
    {"min", 1, any_number,
     [](const arguments& a) { return *std::min_element(a.begin(), a.end(), less); }},
    {"max", 1, any_number,
     [](const arguments& a) { return *std::max_element(a.begin(), a.end(), less); }},
    {"sum", 1, any_number, total},
    {"avg", 1, any_number,
     [](const arguments& a) {
       auto out = total(a);
       out.value = out.value / fraction(a.size());
       return out;
     }},
};

struct constant {
  std::string_view name;
  std::string_view digits;  // behind the first
  int first;
};
constexpr constant constants[] = {
    {"pi", "1415926535897932384626433832795028841971693993751", 3},
    {"e", "7182818284590452353602874713526624977572470936999", 2},
};

class parser {
 public:
  explicit parser(std::string_view text) : text_(text) {}

  number all() {
    auto value = sum();
    if (at_ < text_.size()) {
      const auto found = found_here();
      if (found == "%") throw mistake{"% is percent; for a remainder there is mod(a, b)" + where()};
      throw mistake{"unexpected " + found + where()};
    }
    return value;
  }

 private:
  struct deeper {
    explicit deeper(int& depth) : depth(depth) {
      if (++depth > expression_depth_max) throw mistake{"nested too deeply"};
    }
    ~deeper() { --depth; }
    int& depth;
  };

  std::string where() const { return " at character " + std::to_string(at_ + 1); }
  std::string found_here() {
    skip_space();
    if (at_ >= text_.size()) return "end";
    const auto length = std::max<std::size_t>(1, utf8_sequence_length(text_.substr(at_)));
    return std::string(text_.substr(at_, length));
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n'))
      ++at_;
  }
  bool take(std::string_view sign) {
    skip_space();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  bool take_plus() { return take("+"); }
  bool take_minus() { return take("-") || take("\u2212"); }
  bool take_times() { return take("*") || take("\u00d7") || take("\u00b7"); }
  bool take_divided() { return take("/") || take("\u00f7"); }

  number sum() {
    const deeper step(depth_);
    auto left = product();
    for (;;) {
      const bool plus = take_plus();
      if (!plus && !take_minus()) return left;
      const auto right = product();
      fraction change = right.percent ? fraction(left.value * right.value) : right.value;
      left.value = plus ? fraction(left.value + change) : fraction(left.value - change);
      left.exact = left.exact && right.exact;
      left.percent = false;
      check_size(left.value);
    }
  }

  number product() {
    auto left = sign();
    for (;;) {
      const bool times = take_times();
      if (!times && !take_divided()) return left;
      const auto right = sign();
      if (!times && right.value == 0) throw mistake{"division by zero"};
      left.value = times ? fraction(left.value * right.value) : fraction(left.value / right.value);
      left.exact = left.exact && right.exact;
      left.percent = false;
      check_size(left.value);
    }
  }

  number sign() {
    const deeper step(depth_);
    if (take_plus()) return sign();
    if (!take_minus()) return power();
    auto value = sign();
    value.value = -value.value;
    return value;
  }

  number power() {
    auto base = value();
    while (take("%")) {
      base.value = base.value / fraction(100);
      base.percent = true;
      check_size(base.value);
    }
    if (!take("^") && !take("**")) return base;
    return raise(base, sign());
  }

  number value() {
    skip_space();
    if (take("(")) {
      auto inner = sum();
      if (!take(")")) throw mistake{"a closing parenthesis is missing" + where()};
      inner.percent = false;
      return inner;
    }
    if (at_ < text_.size() && (std::isdigit(byte()) || text_[at_] == '.')) return literal();
    if (at_ < text_.size() && std::isalpha(byte())) return named();
    if (at_ >= text_.size()) throw mistake{"the expression ends too early"};
    throw mistake{"a number is expected, not " + found_here() + where()};
  }

  unsigned char byte() const { return static_cast<unsigned char>(text_[at_]); }

  std::string digits() {
    std::string out;
    while (at_ < text_.size() && (std::isdigit(byte()) || (text_[at_] == '_' && !out.empty())))
      if (const char c = text_[at_++]; c != '_') out += c;
    return out;
  }

  // As decimal digits alone: a leading zero would mean octal to the library.
  static integer whole(const std::string& digits) {
    const auto first = digits.find_first_not_of('0');
    return first == std::string::npos ? integer(0) : integer(digits.substr(first));
  }

  number literal() {
    const auto before = digits();
    std::string after;
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      after = digits();
    }
    if (before.empty() && after.empty()) throw mistake{"a number has no digits" + where()};
    if (before.size() + after.size() > 1000) throw mistake{"a number has too many digits"};
    const integer scale = power_of_ten(static_cast<unsigned>(after.size()));
    number out{fraction(whole(before + after), scale)};
    const auto exponent = take_exponent();
    const fraction shift(power_of_ten(static_cast<unsigned>(std::abs(exponent))));
    out.value = exponent < 0 ? fraction(out.value / shift) : fraction(out.value * shift);
    check_size(out.value);
    return out;
  }

  // "e-3" right behind a number; the constant e needs a sign between.
  int take_exponent() {
    std::size_t at = at_;
    if (at >= text_.size() || (text_[at] != 'e' && text_[at] != 'E')) return 0;
    const bool minus = ++at < text_.size() && text_[at] == '-';
    if (at < text_.size() && (text_[at] == '-' || text_[at] == '+')) ++at;
    if (at >= text_.size() || !std::isdigit(static_cast<unsigned char>(text_[at]))) return 0;
    at_ = at;
    const auto text = digits();
    if (text.size() > 4) throw mistake{"an exponent is too large" + where()};
    const int value = std::stoi(text);
    return minus ? -value : value;
  }

  number named() {
    const auto from = at_;
    while (at_ < text_.size() && std::isalnum(byte())) ++at_;
    std::string name(text_.substr(from, at_ - from));
    for (auto& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const auto& known : constants)
      if (known.name == name)
        return {fraction(whole(std::to_string(known.first) + std::string(known.digits)),
                         power_of_ten(static_cast<unsigned>(known.digits.size()))),
                false};
    for (const auto& known : functions)
      if (known.name == name) return called(known);
    throw mistake{"there is no " + name};
  }

  number called(const function& known) {
    const std::string name(known.name);
    if (!take("(")) throw mistake{name + " needs parentheses" + where()};
    arguments given;
    do {
      given.push_back(sum());
      given.back().percent = false;
    } while (take(",") && given.size() < any_number);
    if (!take(")")) throw mistake{"a closing parenthesis is missing" + where()};
    if (given.size() < known.least || given.size() > known.most)
      throw mistake{name + " takes " + std::to_string(known.least) +
                    (known.most == known.least  ? std::string()
                     : known.most == any_number ? std::string(" or more")
                                                : " to " + std::to_string(known.most)) +
                    " numbers"};
    auto out = known.work(given);
    check_size(out.value);
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

// Digits behind the point of a fraction that has an end; -1 where it has none.
int decimals_of(integer bottom) {
  int twos = 0, fives = 0;
  for (; bottom % 2 == 0; ++twos) bottom /= 2;
  for (; bottom % 5 == 0; ++fives) bottom /= 5;
  return bottom == 1 ? std::max(twos, fives) : -1;
}

// `digits` of them behind the point.
std::string fixed(const fraction& value, unsigned digits) {
  auto text = abs(nearest(value * fraction(power_of_ten(digits)))).str();
  if (text.size() <= digits) text.insert(0, digits + 1 - text.size(), '0');
  if (digits > 0) {
    text.insert(text.size() - digits, 1, '.');
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  if (value < 0 && text.find_first_not_of("0.") != std::string::npos) text.insert(0, 1, '-');
  return text;
}

expression_value shown(const number& of) {
  const int decimals = decimals_of(denominator(of.value));
  if (of.exact && decimals >= 0) return {fixed(of.value, static_cast<unsigned>(decimals)), true};
  // As many digits behind the point as leave the wanted number of them in all.
  const auto top = abs(numerator(of.value)).str().size();
  const auto bottom = denominator(of.value).str().size();
  const auto before = static_cast<int>(top) - static_cast<int>(bottom);
  const int digits = std::max(0, expression_inexact_digits - 1 - before);
  return {fixed(of.value, static_cast<unsigned>(digits)), false};
}

}  // namespace

result<expression_value> evaluate_expression(std::string_view text) {
  if (text.size() > expression_bytes_max)
    return error{codes::tool_invalid_inputs, "the expression is too long"};
  try {
    return shown(parser(text).all());
  } catch (const mistake& m) {
    return error{codes::tool_invalid_inputs, m.what};
  } catch (const std::exception& e) {
    return error{codes::tool_invalid_inputs, std::string("it cannot be worked out: ") + e.what()};
  }
}

}  // namespace soma::tools
