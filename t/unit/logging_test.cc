#include <doctest/doctest.h>

#include <ctime>
#include <string>

#include "base/address.h"
#include "base/failure.h"
#include "base/log_file.h"
#include "base/logging.h"
#include "base/record.h"
#include "session/request.h"
#include "session/route.h"

namespace {

std::string reason(void (*thrower)()) {
  try {
    thrower();
  } catch (const tool::Failure& failure) {
    return failure.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("logging: unescape gives back what escape was given") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (const std::string& text :
       {all, std::string("plain"), std::string("a\\x41\\\\"), std::string("\\"), std::string()}) {
    CAPTURE(text);
    CHECK(logging::unescape(logging::escape(text)) == text);
  }
}

TEST_CASE("logging: what escape never writes stays as it is") {
  for (const std::string text : {"\\y", "\\x4", "\\x", "\\xgg", "a\\"}) CHECK(logging::unescape(text) == text);
}

TEST_CASE("logging: a Failure's reason has untrusted bytes as they came, for guard to escape") {
  CHECK(reason([] { record::parse_one("a\x1b\\\n"); }) == "record: 'a\x1b\\' is not name=value");
  CHECK(reason([] { Record().add("A\x07\\", "x"); }) == "record: 'A\x07\\' is not a field name");
  CHECK(reason([] { Endpoint::require("\xc3\\", "client"); }).find("client: '\xc3\\' is not") == 0);
}

TEST_CASE("log_file: a line is that of syslog's files") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const std::string line = log_file::line(0, "ascp_rproxy", "LOG text");
  CHECK(line.starts_with("Jan  1 00:00:00 "));
  CHECK(line.find(" ascp_rproxy[") != line.npos);
  CHECK(line.ends_with("]: LOG text\n"));
}

TEST_CASE("log_file: a line is never longer than the limit, and says when it was cut") {
  const auto overhead = log_file::line(0, "x", "").size();
  const std::string fits(log_file::kMaxLine - overhead, 'a');
  CHECK(log_file::line(0, "x", fits).size() == log_file::kMaxLine);
  CHECK(log_file::line(0, "x", fits).ends_with("aaa\n"));
  const std::string cut = log_file::line(0, "x", fits + "a");
  CHECK(cut.size() == log_file::kMaxLine);
  CHECK(cut.ends_with("a [cut]\n"));
}

TEST_CASE("log_file: only what root alone may write to takes a line") {
  CHECK(log_file::append("/tmp", "x\n") == "/tmp: must be a directory that root alone may write to");
  CHECK(log_file::complaint("/tmp") == "/tmp: must be a directory that root alone may write to");
  CHECK(log_file::complaint("/nonexistent") == "open /nonexistent: No such file or directory");
  CHECK(log_file::complaint("/etc").empty());
}

TEST_CASE("session: the log says whose session it is, and where it goes, in fields that are ours") {
  session::Asked asked;
  asked.session = "3a9fd819-59c3-42bc-b0a2-d26304a1eb84";
  asked.request.user = "bear";
  asked.request.client = Endpoint::require("198.51.100.10:50000", "client");
  asked.request.proxy = Endpoint::require("198.51.100.39:33001", "proxy");
  CHECK(asked.identity() ==
        "session=3a9fd819-59c3-42bc-b0a2-d26304a1eb84 user=bear client=198.51.100.10:50000 proxy=198.51.100.39:33001");
  asked.request.domain = HostPort::parse("faspex.example.com:33001");
  CHECK(asked.identity().ends_with(":33001 domain=faspex.example.com:33001"));
  session::Route route;
  route.rule = 2;
  route.upstream_user = "xfer\n";
  CHECK(route.identity("inside1:22") == "rule=2 server=inside1:22 upstream_user=xfer\\x0a");
}

TEST_CASE("log_file: without a directory there is nothing to prepare") { CHECK_NOTHROW(log_file::prepare("")); }

TEST_CASE("logging: words of others contain no field") {
  CHECK(logging::told("no user=root here\n") == "no user\\x3droot here\\x0a");
  CHECK(logging::told("a==b") == "a\\x3d\\x3db");
  CHECK(logging::told("") == "");
  CHECK(logging::unescape(logging::told("user=root \\ \x1b")) == "user=root \\ \x1b");
}
