#include "protocol.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "digest.h"

namespace asp_cp {
namespace {

constexpr std::size_t kSecretDigits = 64;
constexpr std::size_t kSessionDigits = 32;

[[noreturn]] void broken(const std::string& why) { throw tool::Failure(tool::bad_input, "protocol: " + why); }

std::uint64_t number(const Record& record, std::string_view name, std::uint64_t high) {
  const std::string text = record.require(name);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool padded = text.size() > 1 && text[0] == '0';
  if (text.empty() || padded || error != std::errc{} || end != text.data() + text.size() || value > high) {
    broken(fmt::format("{} is not a number up to {}", name, high));
  }
  return value;
}

bool flag(const Record& record, std::string_view name) { return number(record, name, 1) == 1; }

std::string hex(const Record& record, std::string_view name, std::size_t length) {
  std::string text = record.require(name);
  const bool fits = text.size() == length && std::all_of(text.begin(), text.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                    });
  if (!fits) broken(fmt::format("{} is not {} hex digits", name, length));
  return text;
}

std::string path_of(const Record& record, std::string_view name) {
  std::string path = decode(record.require(name));
  if (path.size() > kMaxPath) broken(fmt::format("{} has more than {} bytes", name, kMaxPath));
  return path;
}

// The path, checked to be relative and safe to create.
std::string wire_path(const Record& record) {
  std::string path = path_of(record, "path");
  split_path(path);
  return path;
}

tool::Exit code_of(const Record& record) {
  const auto code = static_cast<int>(number(record, "code", 255));
  if (!tool::is_exit(code) || code == tool::yes) broken("code is not one of the suite's");
  return static_cast<tool::Exit>(code);
}

std::string reason_of(const Record& record) {
  std::string reason = decode(record.require("reason"));
  if (reason.size() > kMaxReason) broken("reason is too long");
  return reason;
}

void check_version(const Record& record) {
  const auto version = number(record, "asp_cp", 1'000'000);
  if (version != kVersion) {
    throw tool::Failure(tool::untrusted,
                        fmt::format("the other asp-cp speaks protocol version {}, this one {}", version, kVersion));
  }
}

std::string time_text(std::int64_t seconds, long nanoseconds) { return fmt::format("{}.{:09}", seconds, nanoseconds); }

// Parses SECONDS.NANOSECONDS, the second part with nine digits.
std::timespec time_of(const Record& record) {
  constexpr std::int64_t kFarthestTime = std::int64_t{1} << 40;
  const std::string text = record.require("mtime");
  const auto point = text.find('.');
  std::int64_t seconds = 0;
  long nanoseconds = 0;
  const char* const start = text.data();
  const char* const stop = start + text.size();
  if (point == text.npos || text.size() - point != 10 || text[point + 1] == '-') broken("mtime is not a time");
  const auto whole = std::from_chars(start, start + point, seconds);
  const auto part = std::from_chars(start + point + 1, stop, nanoseconds);
  if (whole.ec != std::errc{} || whole.ptr != start + point || part.ec != std::errc{} || part.ptr != stop ||
      seconds > kFarthestTime || seconds < -kFarthestTime) {
    broken("mtime is not a time");
  }
  // -0 and 007 are other spellings.
  if (time_text(seconds, nanoseconds) != text) broken("mtime is not a time");
  return {static_cast<std::time_t>(seconds), nanoseconds};
}

}  // namespace

std::string encode(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const unsigned char byte : bytes) {
    if (byte < 0x20 || byte == 0x7f || byte == '%') text += fmt::format("%{:02X}", byte);
    else text += static_cast<char>(byte);
  }
  return text;
}

std::string decode(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    broken("a % without two hex digits");
  };
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += text[i];
      continue;
    }
    if (text.size() - i < 3) broken("a % without two hex digits");
    const int byte = digit(text[i + 1]) * 16 + digit(text[i + 2]);
    if (byte == 0) broken("a NUL in a name");
    bytes += static_cast<char>(byte);
    i += 2;
  }
  if (encode(bytes) != text) broken("a name that encode() would write otherwise");
  return bytes;
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  if (path.size() > kMaxPath) broken(fmt::format("a path of more than {} bytes", kMaxPath));
  for (std::size_t start = 0; start <= path.size();) {
    const auto end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == ".." || part.size() > kMaxName || part.find('\0') != part.npos) {
      broken("a path that could lead elsewhere: " + std::string(path.substr(0, 128)));
    }
    if (parts.size() == kMaxDepth) broken(fmt::format("a path of more than {} components", kMaxDepth));
    parts.emplace_back(part);
    start = end + 1;
  }
  return parts;
}

std::string word_of(const Record& record) { return record.require("say"); }

Record plain(std::string_view word) {
  Record record;
  record.add("say", word);
  return record;
}

void check_plain(const Record& record) { record.check_names({"say"}); }

Record Open::record() const {
  Record record = plain("open");
  record.add("asp_cp", std::to_string(kVersion));
  record.add("direction", check ? "check" : upload ? "upload" : "download");
  record.add("passphrase", passphrase);
  record.add("rate", std::to_string(rate));
  record.add("recursive", recursive ? "1" : "0");
  record.add("target", encode(target));
  record.add("into_directory", into_directory ? "1" : "0");
  return record;
}

Open Open::parse(const Record& record) {
  if (word_of(record) != "open") broken("the first message is not 'open'");
  check_version(record);
  record.check_names({"say", "asp_cp", "direction", "passphrase", "rate", "recursive", "target", "into_directory"});
  Open open;
  const std::string direction = record.require("direction");
  if (direction != "upload" && direction != "download" && direction != "check")
    broken("direction is neither upload nor download");
  open.check = direction == "check";
  open.upload = direction == "upload";
  open.passphrase = hex(record, "passphrase", kSecretDigits);
  open.rate = number(record, "rate", 100'000'000'000);
  if (open.rate != 0 && open.rate < 100'000) broken("rate is too low");
  open.recursive = flag(record, "recursive");
  open.target = path_of(record, "target");
  open.into_directory = flag(record, "into_directory");
  return open;
}

Record Answer::record() const {
  Record record = plain("answer");
  record.add("asp_cp", std::to_string(kVersion));
  record.add("session", session);
  record.add("udp_port", std::to_string(udp_port));
  return record;
}

Answer Answer::parse(const Record& record) {
  if (word_of(record) != "answer") broken("no answer to 'open'");
  check_version(record);
  record.check_names({"say", "asp_cp", "session", "udp_port"});
  Answer answer;
  answer.session = hex(record, "session", kSessionDigits);
  answer.udp_port = static_cast<Port>(number(record, "udp_port", 65535));
  return answer;
}

Record Reached::record() const {
  Record record = plain("reached");
  record.add("candidate", std::to_string(candidate));
  return record;
}

Reached Reached::parse(const Record& record) {
  if (word_of(record) != "reached") broken("'reached' was due");
  record.check_names({"say", "candidate"});
  return {number(record, "candidate", 255)};
}

Record Heard::record() const {
  Record record = plain("heard");
  record.add("largest", std::to_string(largest));
  record.add("mtu", std::to_string(mtu));
  return record;
}

Heard Heard::parse(const Record& record) {
  if (word_of(record) != "heard") broken("'heard' was due");
  record.check_names({"say", "largest", "mtu"});
  return {number(record, "largest", 65535), number(record, "mtu", 65535)};
}

Record Sent::record() const {
  Record record = plain("sent");
  record.add("bytes", std::to_string(bytes));
  return record;
}

Sent Sent::parse(const Record& record) {
  if (word_of(record) != "sent") broken("'sent' was due");
  record.check_names({"say", "bytes"});
  return {number(record, "bytes", kMaxSize)};
}

Record Got::record() const {
  Record record = plain("got");
  record.add("bytes", std::to_string(bytes));
  record.add("us", std::to_string(us));
  return record;
}

Got Got::parse(const Record& record) {
  if (word_of(record) != "got") broken("'got' was due");
  record.check_names({"say", "bytes", "us"});
  return {number(record, "bytes", kMaxSize), number(record, "us", 600'000'000)};
}

Record Want::record() const {
  Record record = plain("want");
  record.add("path", encode(path));
  return record;
}

Want Want::parse(const Record& record) {
  record.check_names({"say", "path"});
  return {path_of(record, "path")};
}

Record FileHead::record() const {
  Record record = plain("file");
  record.add("path", encode(path));
  record.add("size", std::to_string(size));
  record.add("mode", std::to_string(mode));
  record.add("mtime", time_text(mtime.tv_sec, mtime.tv_nsec));
  return record;
}

FileHead FileHead::parse(const Record& record) {
  record.check_names({"say", "path", "size", "mode", "mtime"});
  FileHead head;
  head.path = wire_path(record);
  head.size = number(record, "size", kMaxSize);
  head.mode = static_cast<unsigned>(number(record, "mode", 0777));
  head.mtime = time_of(record);
  return head;
}

Record DirectoryHead::record() const {
  Record record = plain("directory");
  record.add("path", encode(path));
  record.add("mode", std::to_string(mode));
  return record;
}

DirectoryHead DirectoryHead::parse(const Record& record) {
  record.check_names({"say", "path", "mode"});
  return {wire_path(record), static_cast<unsigned>(number(record, "mode", 0777))};
}

Record Have::record() const {
  Record record = plain("have");
  record.add("size", std::to_string(size));
  if (size != 0) record.add("sha256", sha256);
  return record;
}

Have Have::parse(const Record& record) {
  record.check_names({"say", "size", "sha256"});
  Have have;
  have.size = number(record, "size", kMaxSize);
  if (have.size != 0) have.sha256 = hex(record, "sha256", Sha256::kHexLength);
  else if (record.get("sha256")) broken("sha256 of nothing");
  return have;
}

Record Data::record() const {
  Record record = plain("data");
  record.add("offset", std::to_string(offset));
  return record;
}

Data Data::parse(const Record& record) {
  if (word_of(record) != "data") broken("'data' was due");
  record.check_names({"say", "offset"});
  return {number(record, "offset", kMaxSize)};
}

Record Digest::record() const {
  Record record = plain("digest");
  record.add("sha256", sha256);
  return record;
}

Digest Digest::parse(const Record& record) {
  if (word_of(record) != "digest") broken("'digest' was due");
  record.check_names({"say", "sha256"});
  return {hex(record, "sha256", Sha256::kHexLength)};
}

Record Stopped::record() const {
  Record record = Complaint{code, reason}.record("stopped");
  record.add("offset", std::to_string(offset));
  return record;
}

Stopped Stopped::parse(const Record& record) {
  record.check_names({"say", "offset", "code", "reason"});
  return {number(record, "offset", kMaxSize), code_of(record), reason_of(record)};
}

Record Complaint::record(std::string_view word) const {
  Record record = plain(word);
  record.add("code", std::to_string(static_cast<int>(code)));
  record.add("reason", encode(reason.substr(0, kMaxReason)));
  return record;
}

Complaint Complaint::parse(const Record& record) {
  record.check_names({"say", "code", "reason"});
  return {code_of(record), reason_of(record)};
}

}  // namespace asp_cp
