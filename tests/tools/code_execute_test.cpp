#include "tools/builtin/code_execute.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "files/work_folder.hpp"
#include "support/temp_folder.hpp"
#include "tools/builtin/work_files.hpp"
#include "tools/egress/egress_proxy.hpp"
#include "tools/tool_world.hpp"

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace soma;
using namespace soma::testing;

namespace {

// The work folder of the session that calls are made for.
struct placed_folder {
  temp_folder root;
  std::unique_ptr<files::work_folders> all;
  fs::path at;

  placed_folder() {
    files::work_limits limits;
    limits.file_bytes_max = 4096;
    all = std::move(*files::work_folders::open(root.path().string(), limits));
    at = all->place(request_of("{}").session).value();
  }
  const fs::path& path() const { return at; }
  std::string operator/(const std::string& name) const { return (at / name).string(); }
};

struct world {
  placed_folder folder;
  tools::egress_proxy egress;
  std::unique_ptr<tools::tool> tool = tools::make_code_execute(
      {shared_sandbox(), shared_workers(), egress,
       [this](const session_key& whose) { return folder.all->place(whose); },
       [this](const session_key& whose, std::string_view path, std::string_view bytes) {
         return folder.all->write(whose, path, bytes);
       }});

  tools::tool_request code(const std::string& language, const std::string& text,
                           json::object more = {}) {
    more["language"] = language;
    more["code"] = text;
    auto request = request_of("{}");
    request.inputs = std::move(more);
    request.limits.work_folder = true;
    return request;
  }
};

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE_FIXTURE(world, "code_execute: Python runs, and its output is streamed and told") {
  watched_call call(*tool, code("python", "import sys\nprint(6 * 7)\nprint('e', file=sys.stderr)"));
  const auto out = output(call.wait());
  CHECK(call.wait().status == "success");
  CHECK(text(out, "stdout") == "42\n");
  CHECK(text(out, "stderr") == "e\n");
  CHECK(out.at("exit_code") == 0);
  CHECK(out.at("truncated") == false);
  CHECK(call.streamed("stdout") == "42\n");
  CHECK(call.streamed("stderr") == "e\n");
}

TEST_CASE_FIXTURE(world, "code_execute: Bash and JavaScript run, modules too") {
  CHECK(text(output(outcome(*tool, code("bash", "echo $((6 * 7))"))), "stdout") == "42\n");
  CHECK(text(output(outcome(*tool, code("node", "console.log(6 * 7)"))), "stdout") == "42\n");
  CHECK(text(output(outcome(*tool, code("node",
                                        "import os from 'node:os';\n"
                                        "console.log(typeof os.cpus)"))),
             "stdout") == "function\n");
}

TEST_CASE_FIXTURE(world, "code_execute: an exception is a result, with its exit code") {
  const auto seen = outcome(*tool, code("python", "raise ValueError('no')"));
  CHECK(seen.status == "success");
  CHECK(output(seen).at("exit_code") == 1);
  CHECK(text(output(seen), "stderr").find("ValueError: no") != std::string::npos);
}

TEST_CASE_FIXTURE(world, "code_execute: files go in, and those made or changed are named") {
  std::ofstream(folder / "old") << "old";
  std::ofstream(folder / "grows") << "1";
  const auto written = tools::file_clock_ns();
  REQUIRE(becomes_true([&] { return tools::file_clock_ns() > written + 20'000'000; }));
  json::object more{{"files", json::array{json::object{{"path", "in/a.txt"}, {"text", "given"}}}},
                    {"stdin", "typed"}};
  const auto out = output(
      outcome(*tool, code("python",
                          "import sys, os\nprint(open('in/a.txt').read(), sys.stdin.read())\n"
                          "os.makedirs('out')\nopen('out/b.txt', 'w').write('made')\n"
                          "open('grows', 'a').write('2')",
                          more)));
  CHECK(text(out, "stdout") == "given typed\n");
  CHECK(slurp(folder / "out/b.txt") == "made");
  std::string files;
  for (const auto& file : out.at("files").as_array())
    if (file.at("path") != "in/a.txt") files += json::serialize(file);
  CHECK(files == R"({"path":"grows","size_bytes":2}{"path":"out/b.txt","size_bytes":4})");
}

TEST_CASE_FIXTURE(world, "code_execute: without a work folder files live in memory alone") {
  json::object more{{"files", json::array{json::object{{"path", "a/b"}, {"text", "given"}}}}};
  auto request = code("bash", "cat a/b; echo x > y; pwd", more);
  request.limits.work_folder = false;
  const auto out = output(outcome(*tool, request));
  CHECK(text(out, "stdout") == "given/work\n");
  CHECK(out.at("files").as_array().empty());
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE_FIXTURE(world, "code_execute: a file's path does not leave the work folder") {
  temp_folder outside;
  fs::create_directory_symlink(outside.path(), folder.path() / "link");
  fs::create_symlink(outside / "made", folder.path() / "dangling");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const std::string path :
       {"../x", "/etc/x", "a/../../x", "link/x", "", ".", "a//b", "a/./b", "a\nb"}) {
    CAPTURE(path);
    json::object more{{"files", json::array{json::object{{"path", path}, {"text", "x"}}}}};
    const auto seen = outcome(*tool, code("bash", "true", more));
    CHECK(seen.status == "error");
    REQUIRE(seen.error);
    CHECK(seen.error->code == "tool.invalid_inputs");
  }
  // A link or a pipe that stands there is replaced by the file.
  for (const std::string path : {"dangling", "pipe"}) {
    json::object more{{"files", json::array{json::object{{"path", path}, {"text", "x"}}}}};
    CHECK(text(output(outcome(*tool, code("bash", "cat " + path, more))), "stdout") == "x");
  }
  CHECK(fs::is_empty(outside.path()));
}

TEST_CASE_FIXTURE(
    world, "code_execute: files given with a call keep to the folder's quota, and are whole") {
  std::ofstream(folder / "a.txt") << "before";
  const auto reader = folder.all->open_file(request_of("{}").session, "a.txt");
  REQUIRE(reader.has_value());
  json::object more{{"files", json::array{json::object{{"path", "a.txt"}, {"text", "after!"}}}}};
  CHECK(text(output(outcome(*tool, code("bash", "cat a.txt", more))), "stdout") == "after!");
  char bytes[8] = {};  // whoever reads the one before goes on reading it
  CHECK(read(reader->handle.get(), bytes, sizeof bytes) == 6);
  CHECK(std::string(bytes) == "before");
  json::object large{
      {"files", json::array{json::object{{"path", "big"}, {"text", std::string(5000, 'x')}}}}};
  const auto seen = outcome(*tool, code("bash", "true", large));
  REQUIRE(seen.error);
  CHECK(seen.error->code == "workdir.full");
  CHECK_FALSE(fs::exists(folder / "big"));
}

TEST_CASE_FIXTURE(world, "code_execute: a link that a program leaves is not followed afterwards") {
  temp_folder outside;
  std::ofstream(outside / "secret") << "secret";
  const auto out = output(outcome(*tool, code("bash", "ln -s " + outside.path().string() +
                                                          " out; ln -s /etc/passwd p; : > f")));
  CHECK(json::serialize(out.at("files")) == R"([{"path":"f","size_bytes":0}])");
}

TEST_CASE_FIXTURE(world, "code_execute: a call past its time is a timeout with the output so far") {
  auto request = code("bash", "echo begun; trap '' TERM; while :; do sleep 100; done");
  request.limits.timeout_ms = 2000;
  const auto seen = outcome(*tool, request);
  CHECK(seen.status == "timeout");
  REQUIRE(seen.error);
  CHECK(seen.error->code == "tool.timeout");
  CHECK(seen.error->detail == "it ran longer than its 2000 milliseconds");
  CHECK(text(output(seen), "stdout") == "begun\n");
}

TEST_CASE_FIXTURE(world,
                  "code_execute: output is cut at the profile's limit, errors kept beside it") {
  auto request = code("bash", "head -c 50000 /dev/zero | tr '\\0' x; echo why >&2");
  request.limits.output_bytes = 1000;
  const auto out = output(outcome(*tool, request));
  CHECK(json::serialize(out).size() <= 1000);
  CHECK(text(out, "stdout").size() > 800);
  CHECK(text(out, "stderr") == "why\n");
  CHECK(out.at("truncated") == true);
}

TEST_CASE_FIXTURE(world, "code_execute: bytes that are no text become text") {
  watched_call call(*tool, code("bash", "printf 'a\\xff\\xc3'; printf '\\xa9\\xe2\\x82'"));
  CHECK(text(output(call.wait()), "stdout") == "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(call.streamed("stdout") == "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE_FIXTURE(world, "code_execute: a dropped handle kills the program and tells nothing") {
  watched_call call(*tool, code("bash", "echo ready; sleep 1; touch /work/late; sleep 1000"));
  call.streamed("stdout", "ready");
  call.cancel();
  CHECK_FALSE(call.done());
}

TEST_CASE_FIXTURE(world, "code_execute: what it cannot run it says, and a failing folder too") {
  CHECK(outcome(*tool, code("perl", "1")).error->code == "tool.invalid_inputs");
  const auto broken = tools::make_code_execute({shared_sandbox(),
                                                shared_workers(),
                                                egress,
                                                [](const session_key&) -> result<std::string> {
                                                  return error{"storage.unavailable", "no folder"};
                                                },
                                                {}});
  CHECK(outcome(*broken, code("bash", "true")).error->detail == "no folder");
  CHECK_FALSE(tool->idempotent({}));
}
