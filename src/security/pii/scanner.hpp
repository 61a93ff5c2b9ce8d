// Finds what names a person or his money in a text: mail addresses, telephone numbers, cards, IBANs
// and national numbers. What has check digits has to have the right ones; what has none has to look
// like it, or to stand behind a word that says what it is. It finds patterns, not meanings: names
// and street addresses are not among them, and a number that is written out in words is not found.
//
// Pure; thread-safe. Linear in the text: around each character a bounded number of others is looked
// at. Text that is not UTF-8 is only bytes between which numbers may stand. A number ends where the
// longest one ends that its groups make: a date or a code behind a card hides nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace soma::security::pii {

enum class kind : std::uint8_t { mail, phone, card, iban, national };
inline constexpr std::size_t kinds = 5;

std::string_view to_string(kind k);  // mail, phone, card, iban, national_id

struct match {
  pii::kind kind = pii::kind::mail;
  std::size_t begin = 0, bytes = 0;
  std::string_view scheme{};  // of a national number: us.ssn, de.steuer_id, …
};

// In the order of the text; they do not overlap.
std::vector<match> find(std::string_view text);

// How many of each, in the order of `kind`.
std::array<std::size_t, kinds> count(const std::vector<match>& found);

}  // namespace soma::security::pii
