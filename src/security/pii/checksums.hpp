// Check digits of numbers that name people and their money. Pure. `digits`: decimal digits alone,
// without blanks or dashes, unless something else is said; false for another length.
#pragma once

#include <string_view>

namespace soma::security::pii {

bool luhn(std::string_view digits);           // ISO/IEC 7812: cards; also Swedish numbers
bool mod97(std::string_view letters_digits);  // ISO 13616, in IBAN's order; capital letters
bool verhoeff(std::string_view digits);       // Aadhaar
bool ean13(std::string_view digits);          // AHV
bool bsn(std::string_view digits);            // the Netherlands, 9
bool cpf(std::string_view digits);            // Brazil, 11
bool pesel(std::string_view digits);          // Poland, 11
bool steuer_id(std::string_view digits);  // Germany, 11: ISO 7064, and how often a digit is there
bool nir(std::string_view digits);        // France, 15, the key last
bool dni(std::string_view number);        // Spain: 8 digits and a letter, or X, Y, Z and 7
bool codice_fiscale(std::string_view code);  // Italy, 16 capital letters and digits
bool hetu(std::string_view number);          // Finland: DDMMYY, a mark, NNN, a letter or digit

// Whether there is such a day; of a year that has two digits, February has 29.
bool is_day(int month, int day);

}  // namespace soma::security::pii
