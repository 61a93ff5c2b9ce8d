#include "tools/builtin/calculator.hpp"

#include <random>

#include "support/seed.hpp"
#include "tools/builtin/clock.hpp"
#include "tools/builtin/echo.hpp"
#include "tools/builtin/expression.hpp"
#include "tools/tool_world.hpp"

using namespace soma::testing;
using soma::tools::evaluate_expression;

namespace {

std::string value(const std::string& text) {
  const auto out = evaluate_expression(text);
  return out ? out->text + (out->exact ? "" : " about") : "error: " + out.error().detail;
}

}  // namespace

TEST_CASE("calculator: decimals are exact") {
  CHECK(value("19.99 * 3") == "59.97");
  CHECK(value("0.1 + 0.2") == "0.3");
  CHECK(value("1 / 8") == "0.125");
  CHECK(value("(1 / 3) * 3") == "1");
  CHECK(value("1e-3 + 2E2") == "200.001");
  CHECK(value("round(1, -1) + avg(1, 0, 0, 0) + 1%") == "0.2525");
  CHECK(value("2 ^ 100") == "1267650600228229401496703205376");
  CHECK(value("9007199254740993 - 1") == "9007199254740992");
  CHECK(value("012 + .5 + 1_000") == "1012.5");
}

TEST_CASE("calculator: percent is a hundredth, and of the number it is added to") {
  CHECK(value("8 %") == "0.08");
  CHECK(value("59.97 * 8%") == "4.7976");
  CHECK(value("19.99 * 3 + 8 %") == "64.7676");
  CHECK(value("200 - 25%") == "150");
  CHECK(value("100 + (8%)") == "100.08");
  CHECK(value("10 % 3") == "error: unexpected 3 at character 6");
}

TEST_CASE("calculator: precedence is that of mathematics") {
  CHECK(value("2 + 3 * 4") == "14");
  CHECK(value("(2 + 3) * 4") == "20");
  CHECK(value("-2 ^ 2") == "-4");
  CHECK(value("(-2) ^ 2") == "4");
  CHECK(value("2 ^ 3 ^ 2") == "512");
  CHECK(value("2 ^ -2") == "0.25");
  CHECK(value("2 ** 3") == "8");
  CHECK(value("8 / 4 / 2") == "1");
  CHECK(value("--3 - -2") == "5");
  CHECK(value("6 × 7 ÷ 2 − 1") == "20");
}

TEST_CASE("calculator: functions do what their names say") {
  CHECK(value("round(2.5) + round(-2.5) + round(2.345, 2) + round(1250, -2)") == "1302.35");
  CHECK(value("floor(-1.5)") == "-2");
  CHECK(value("ceil(-1.5)") == "-1");
  CHECK(value("trunc(-1.5)") == "-1");
  CHECK(value("abs(-3)") == "3");
  CHECK(value("min(3, 1.5, 2) + max(3, 1.5, 2)") == "4.5");
  CHECK(value("sum(1, 2, 3) + avg(1, 2)") == "7.5");
  CHECK(value("mod(-7, 3)") == "2");
  CHECK(value("sqrt(2.25)") == "1.5");
  CHECK(value("sqrt(2)") == "1.414213562373095048801688724209698 about");
  CHECK(value("round(sqrt(2) ^ 2, 20)") == "2 about");
  CHECK(value("SQRT(1e-200) = 0").starts_with("error: unexpected ="));
  CHECK(value("1 / 3") == "0.333333333333333333333333333333333 about");
  CHECK(value("-2 / 3") == "-0.666666666666666666666666666666667 about");
  CHECK(value("round(pi, 4)") == "3.1416 about");
}

TEST_CASE("calculator: what is wrong is said, and where") {
  CHECK(value("") == "error: the expression ends too early");
  CHECK(value("1 +") == "error: the expression ends too early");
  CHECK(value("1 / 0") == "error: division by zero");
  CHECK(value("1 / (3 - 3)") == "error: division by zero");
  CHECK(value("0 ^ -1") == "error: division by zero");
  CHECK(value("mod(1, 0)") == "error: division by zero");
  CHECK(value("sqrt(-1)") == "error: a negative number has no square root");
  CHECK(value("2 ^ 0.5") == "error: an exponent is a whole number; for a root there is sqrt");
  CHECK(value("(1") == "error: a closing parenthesis is missing at character 3");
  CHECK(value("1)") == "error: unexpected ) at character 2");
  CHECK(value("import os") == "error: there is no import");
  CHECK(value("abs 3") == "error: abs needs parentheses at character 5");
  CHECK(value("abs()") == "error: a number is expected, not ) at character 5");
  CHECK(value("abs(1, 2)") == "error: abs takes 1 numbers");
  CHECK(value("1,000") == "error: unexpected , at character 2");
  CHECK(value("5 €") == "error: unexpected € at character 3");
  CHECK(value(".") == "error: a number has no digits at character 2");
}

TEST_CASE("calculator: neither time nor memory grows without an end") {
  CHECK(value("9 ^ 9 ^ 9 ^ 9").starts_with("error"));
  CHECK(value("2 ^ 8191").size() == 2466);
  CHECK(value("2 ^ 8192") == "error: a number becomes too long");
  CHECK(value("1e9999") == "error: a number becomes too long");
  CHECK(value("1e99999").starts_with("error: an exponent is too large"));
  CHECK(value("1 ^ 8000") == "1");
  CHECK(value("1 ^ 99999999999999999999").starts_with("error"));
  CHECK(value(std::string(65, '(')) == "error: nested too deeply");
  CHECK(value(std::string(4000, '-') + "1") == "error: nested too deeply");
  CHECK(value(std::string(5000, '1')) == "error: the expression is too long");
  CHECK(value(std::string(1001, '1')) == "error: a number has too many digits");
  std::string nested = "2";
  for (int i = 0; i < 60; ++i) nested = "sqrt(" + nested + "/3)";
  CHECK_FALSE(value(nested).empty());
}

TEST_CASE("calculator: any text gives a value or an error") {
  const auto seed = seed_of("calculator: any text");
  std::mt19937_64 random(seed);
  const std::string pieces[] = {"1",     "2.5",    "0",    "9e9",   "(",  ")", "+",
                                "-",     "*",      "/",    "^",     "%",  ",", " ",
                                "sqrt(", "round(", "min(", "mod(",  "pi", "e", ".",
                                "\xff",  "\u00d7", "avg(", "1e-90", "_"};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto n = random() % 24; n > 0; --n) text += pieces[random() % std::size(pieces)];
    const auto out = evaluate_expression(text);
    REQUIRE((out ? !out->text.empty() : !out.error().detail.empty()));
  }
}

TEST_CASE("calculator: the tool gives the value and whether it is exact") {
  const auto tool = soma::tools::make_calculator();
  CHECK(tool->idempotent({}));
  const auto good = outcome(*tool, request_of(R"({"expression":"19.99 * 3 + 8 %"})"));
  CHECK(good.status == "success");
  CHECK(good.output_json == R"({"result":"64.7676","exact":true})");
  const auto bad = outcome(*tool, request_of(R"({"expression":"1/0"})"));
  CHECK(bad.status == "error");
  CHECK(bad.error->code == "tool.invalid_inputs");
}

TEST_CASE("clock: tells the time of a time zone, in summer and winter") {
  std::int64_t now = 1'767'225'600'123;  // 2026-01-01
  const auto tool = soma::tools::make_clock([&] { return now; });
  CHECK(output(outcome(*tool, request_of("{}"))).at("local") == "2026-01-01T00:00:00.123+00:00");
  const auto winter = output(outcome(*tool, request_of(R"({"timezone":"Europe/Berlin"})")));
  CHECK(winter.at("local") == "2026-01-01T01:00:00.123+01:00");
  CHECK(winter.at("utc") == "2026-01-01T00:00:00.123Z");
  CHECK(winter.at("weekday") == "Thursday");
  now += 181ll * 86'400'000;
  CHECK(output(outcome(*tool, request_of(R"({"timezone":"Europe/Berlin"})"))).at("offset") ==
        "+02:00");
}

TEST_CASE("clock: a name that is no time zone opens no file") {
  const auto tool = soma::tools::make_clock([] { return 0; });
  for (const std::string name : {"Mars/Base", "../../../etc/passwd", "/etc/localtime", "",
                                 "Europe/../../../../etc/passwd", "file:/etc/passwd", "Europe"}) {
    CAPTURE(name);
    auto request = request_of("{}");
    request.inputs["timezone"] = name;
    CHECK(outcome(*tool, request).status == "error");
  }
}

TEST_CASE("echo: gives back its text") {
  CHECK(outcome(*soma::tools::make_echo(), request_of(R"({"text":"a\u0000\"é"})")).output_json ==
        "{\"text\":\"a\\u0000\\\"\xc3\xa9\"}");
}
