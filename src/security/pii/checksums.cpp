#include "security/pii/checksums.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace soma::security::pii {
namespace {

constexpr int digit(char c) {
  return c - '0';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool all_digits(std::string_view text, std::size_t count) {
  return text.size() == count && std::all_of(text.begin(), text.end(), is_digit);
}

int two(std::string_view digits, std::size_t at) {
  return digit(digits[at]) * 10 + digit(digits[at + 1]);
}

template <std::size_t Count>
int weighed(std::string_view digits, const std::array<int, Count>& weights) {
  int sum = 0;
  for (std::size_t i = 0; i < Count; ++i) sum += weights[i] * digit(digits[i]);
  return sum;
}

bool all_the_same(std::string_view digits) {
  return digits.find_first_not_of(digits.front()) == digits.npos;
}

constexpr std::string_view dni_letters = "TRWAGMYFPDXBNJZSQVHLCKE";
constexpr std::string_view hetu_marks = "0123456789ABCDEFHJKLMNPRSTUVWXY";

constexpr int dihedral[10][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
                                  {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
                                  {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
                                  {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
                                  {8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}};
constexpr int permuted[8][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
                                 {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
                                 {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
                                 {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}};

// Of the characters at odd places, counted from one: digits, then letters.
constexpr int odd_values[26] = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};

}  // namespace

bool is_day(int month, int day) {
  constexpr int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

bool luhn(std::string_view digits) {
  if (digits.size() < 2 || !all_digits(digits, digits.size())) return false;
  int sum = 0;
  bool twice = false;
  for (auto at = digits.rbegin(); at != digits.rend(); ++at, twice = !twice) {
    const int n = digit(*at) * (twice ? 2 : 1);
    sum += n > 9 ? n - 9 : n;
  }
  return sum % 10 == 0;
}

bool mod97(std::string_view text) {
  if (text.size() < 5) return false;
  int rest = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[(i + 4) % text.size()];
    if (is_digit(c))
      rest = (rest * 10 + digit(c)) % 97;
    else if (c >= 'A' && c <= 'Z')
      rest = (rest * 100 + (c - 'A' + 10)) % 97;
    else
      return false;
  }
  return rest == 1;
}

bool verhoeff(std::string_view digits) {
  if (!all_digits(digits, digits.size()) || digits.empty()) return false;
  int check = 0;
  for (std::size_t i = 0; i < digits.size(); ++i)
    check = dihedral[check][permuted[i % 8][digit(digits[digits.size() - 1 - i])]];
  return check == 0;
}

bool ean13(std::string_view digits) {
  if (!all_digits(digits, 13)) return false;
  constexpr std::array<int, 13> weights{1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1};
  return weighed(digits, weights) % 10 == 0;
}

bool bsn(std::string_view digits) {
  if (!all_digits(digits, 9) || all_the_same(digits)) return false;
  constexpr std::array<int, 9> weights{9, 8, 7, 6, 5, 4, 3, 2, -1};
  return weighed(digits, weights) % 11 == 0;
}

bool cpf(std::string_view digits) {
  if (!all_digits(digits, 11) || all_the_same(digits)) return false;
  const auto check = [&](std::size_t count) {
    int sum = 0;
    for (std::size_t i = 0; i < count; ++i)
      sum += digit(digits[i]) * static_cast<int>(count + 1 - i);
    const int rest = sum * 10 % 11 % 10;
    return rest == digit(digits[count]);
  };
  return check(9) && check(10);
}

bool pesel(std::string_view digits) {
  if (!all_digits(digits, 11)) return false;
  constexpr std::array<int, 11> weights{1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1};
  // The century stands in the month.
  return weighed(digits, weights) % 10 == 0 && is_day(two(digits, 2) % 20, two(digits, 4));
}

bool steuer_id(std::string_view digits) {
  if (!all_digits(digits, 11) || digits.front() == '0') return false;
  std::array<int, 10> often{};
  for (std::size_t i = 0; i < 10; ++i) ++often[static_cast<std::size_t>(digit(digits[i]))];
  const auto twice = std::count(often.begin(), often.end(), 2);
  const auto thrice = std::count(often.begin(), often.end(), 3);
  if (twice + thrice != 1 || *std::max_element(often.begin(), often.end()) > 3) return false;
  int product = 10;
  for (std::size_t i = 0; i < 10; ++i) {
    int sum = (digit(digits[i]) + product) % 10;
    if (sum == 0) sum = 10;
    product = sum * 2 % 11;
  }
  return (11 - product) % 10 == digit(digits[10]);
}

bool nir(std::string_view digits) {
  if (!all_digits(digits, 15) || (digits.front() != '1' && digits.front() != '2')) return false;
  const int month = two(digits, 3);
  if (month < 1 || (month > 12 && month < 20) || month > 42) return false;
  int rest = 0;
  for (std::size_t i = 0; i < 13; ++i) rest = (rest * 10 + digit(digits[i])) % 97;
  return 97 - rest == two(digits, 13);
}

bool dni(std::string_view number) {
  if (number.size() != 9) return false;
  std::string digits(number.substr(0, 8));
  const auto foreign = std::string_view("XYZ").find(digits.front());
  if (foreign != std::string_view::npos) digits.front() = static_cast<char>('0' + foreign);
  if (!all_digits(digits, 8)) return false;
  return number.back() == dni_letters[static_cast<std::size_t>(std::stol(digits) % 23)];
}

bool codice_fiscale(std::string_view code) {
  if (code.size() != 16) return false;
  constexpr std::string_view shape = "LLLLLLDDLDDLDDDL";  // digits may be letters of their own
  constexpr std::string_view as_digits = "LMNPQRSTUV";
  int sum = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    const bool letter = c >= 'A' && c <= 'Z';
    if (!letter && !is_digit(c)) return false;
    if (shape[i] == 'L' && !letter) return false;
    if (shape[i] == 'D' && letter && as_digits.find(c) == as_digits.npos) return false;
    const auto value = static_cast<std::size_t>(letter ? c - 'A' : digit(c));
    if (i < 15) sum += i % 2 == 0 ? odd_values[value] : static_cast<int>(value);
  }
  constexpr std::string_view months = "ABCDEHLMPRST";
  return months.find(code[8]) != months.npos && code[15] == 'A' + sum % 26;
}

bool hetu(std::string_view number) {
  if (number.size() != 11) return false;
  std::string digits(number.substr(0, 6));
  digits += number.substr(7, 3);
  if (!all_digits(digits, 9) ||
      std::string_view("+-ABCDEFUVWXY").find(number[6]) == std::string_view::npos)
    return false;
  if (!is_day(two(digits, 2), two(digits, 0))) return false;
  return number.back() == hetu_marks[static_cast<std::size_t>(std::stol(digits) % 31)];
}

}  // namespace soma::security::pii
