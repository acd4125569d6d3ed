#include "remote_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/await.h"
#include "base/deadline.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "browse/answers.h"
#include "browse/request.h"
#include "browse/tlv.h"
#include "remote.h"

namespace asp_cp {
namespace {

using nlohmann::json;
using std::chrono::seconds;

// For a person to log in, and then for an answer: a tree may be large.
constexpr seconds kSilence{600};
constexpr std::size_t kMaxAnswers = std::size_t{512} * 1024 * 1024;

const char* name_of(Browse browse) {
  switch (browse) {
    case Browse::ls: return "as_ls";
    case Browse::du: return "as_du";
    case Browse::mkdir: return "as_mkdir";
    case Browse::rm: return "as_rm";
    default: return "as_mv";
  }
}

// The host is named as the user did, since a proxy may choose the server by it.
std::string questions(const Command& command) {
  std::string text = "as_session_init --protocol=2";
  if (HostPort::parse(command.far.host)) text += " --host=" + command.far.host;
  text += "\n";
  const std::string name = name_of(command.browse);
  if (command.browse == Browse::mv) {
    text += name + " " + browse::quoted(command.sources[0]) + " " + browse::quoted(command.sources[1]) + "\n";
  } else {
    for (const auto& path : command.sources) text += name + " " + browse::quoted(path) + "\n";
  }
  return text + "as_exit\n\n";
}

// All that the server says to `text`; Failure{65, 69}.
std::string ask(Remote& remote, const std::string& text, const std::string& host) {
  std::string answers;
  std::size_t asked = 0;
  fd::set_nonblocking(remote.output());
  char bytes[65536];
  for (auto deadline = Deadline::in(kSilence);;) {
    const bool more = asked < text.size();
    await::On in(remote.input()), out(more ? remote.output() : -1, POLLOUT), errors(remote.messages());
    if (!await::any(deadline, in, out, errors)) throw tool::Failure(tool::unavailable, host + ": no answer over SSH");
    if (errors) remote.show_messages([] {});
    if (out) {
      const ssize_t put = ::write(remote.output(), text.data() + asked, text.size() - asked);
      if (put > 0) asked += static_cast<std::size_t>(put);
      // Nobody reads any more; why is known at the end.
      if (put < 0 && errno != EAGAIN && errno != EINTR) asked = text.size();
      if (asked == text.size()) remote.close_output();
    }
    if (!in) continue;
    const ssize_t got = ::read(remote.input(), bytes, sizeof bytes);
    if (got == 0) return answers;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) tool::fail_errno(tool::unavailable, host + ": read");
    answers.append(bytes, static_cast<std::size_t>(got));
    if (answers.size() > kMaxAnswers) throw tool::Failure(tool::bad_input, host + ": the answer is too long");
    deadline = Deadline::in(kSilence);
  }
}

[[noreturn]] void explain(Remote& remote, const std::string& host) {
  const int status = remote.end(seconds(5));
  switch (status) {
    case 255:
      throw tool::Failure(tool::unavailable, host + ": ssh failed, or its connection or the server's end was lost");
    case 127: throw tool::Failure(tool::unavailable, host + ": there is no ascmd on the server");
    case tool::not_permitted: throw tool::Failure(tool::not_permitted, host + ": the server does not permit ascmd");
    default:
      throw tool::Failure(tool::unavailable,
                          fmt::format("{}: the server's end stopped (exit status {})", host, status));
  }
}

// A name of the server's on a terminal: UTF-8 without control characters stays, any other byte is escaped.
std::string shown(const std::string& name) {
  const bool plain = std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  // Only well-formed UTF-8 can be dumped; C1 controls begin with C2 80 to C2 9F.
  bool whole = plain;
  for (std::size_t i = 0; whole && i + 1 < name.size(); ++i) {
    const auto next = static_cast<unsigned char>(name[i + 1]);
    if (static_cast<unsigned char>(name[i]) == 0xc2 && next >= 0x80 && next < 0xa0) whole = false;
  }
  try {
    if (whole) json(name).dump();
    return whole ? name : logging::escape(name);
  } catch (const json::exception&) {
    return logging::escape(name);
  }
}

// JSON may have DEL and the C1 controls as they are; somebody may look at it on a terminal.
std::string without_controls(const std::string& dumped) {
  std::string text;
  text.reserve(dumped.size());
  for (std::size_t i = 0; i < dumped.size(); ++i) {
    const auto byte = static_cast<unsigned char>(dumped[i]);
    const auto next = static_cast<unsigned char>(i + 1 < dumped.size() ? dumped[i + 1] : 0);
    if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      text += fmt::format("\\u{:04x}", next);
      ++i;
    } else if (byte == 0x7f) {
      text += "\\u007f";
    } else {
      text += dumped[i];
    }
  }
  return text;
}

const char* kind_of(std::uint32_t mode) {
  if (S_ISDIR(mode)) return "directory";
  if (S_ISREG(mode)) return "file";
  return S_ISLNK(mode) ? "link" : "other";
}

json entry_of(const browse::Stat& stat) {
  json entry{{"name", stat.name}};
  if (stat.known) {
    entry.update({{"type", kind_of(stat.known->mode)},
                  {"size", stat.known->size},
                  {"mode", browse::mode_text(stat.known->mode)},
                  {"user", stat.known->user},
                  {"group", stat.known->group},
                  {"mtime", stat.known->mtime}});
  }
  if (!stat.target.empty()) entry["target"] = stat.target;
  return entry;
}

// As ls -l has it, with columns as wide as they must be.
std::string table_of(const std::vector<browse::Stat>& entries) {
  std::size_t user = 0, group = 0, size = 0;
  const auto owner = [](const std::string& name, std::uint32_t id) {
    return name.empty() ? std::to_string(id) : shown(name);
  };
  for (const auto& each : entries) {
    if (!each.known) continue;
    user = std::max(user, owner(each.known->user, each.known->uid).size());
    group = std::max(group, owner(each.known->group, each.known->gid).size());
    size = std::max(size, std::to_string(each.known->size).size());
  }
  std::string text;
  for (const auto& each : entries) {
    const auto& known = each.known;
    if (known)
      text +=
          fmt::format("{} {:<{}} {:<{}} {:>{}} {} ", browse::mode_text(known->mode), owner(known->user, known->uid),
                      user, owner(known->group, known->gid), group, known->size, size, browse::time_text(known->mtime));
    else text += fmt::format("?????????? {:{}} ", "", user + group + size + 23);
    text += shown(each.name) + (each.target.empty() ? "" : " -> " + shown(each.target)) + "\n";
  }
  return text;
}

// What is told of the answers.
class Report {
 public:
  explicit Report(const Command& command) : command_(command) {}

  // Failure{65}.
  void take(const std::string& path, const browse::Field& answer) {
    if (answer.type == browse::error) return fail(path, whole(browse::error_in(answer.value)));
    switch (command_.browse) {
      case Browse::ls: return take_listing(path, answer);
      case Browse::du: return take_size(path, answer);
      default: expect(answer.type == browse::success);
    }
  }
  int finish() {
    if (command_.json) out_ = without_controls(all_.dump(2, ' ', false, json::error_handler_t::replace)) + "\n";
    io::write_all(STDOUT_FILENO, out_);
    return code_;
  }

 private:
  static void expect(bool holds) {
    if (!holds) throw tool::Failure(tool::bad_input, "protocol: an answer that does not fit");
  }
  template <typename T>
  static T whole(std::optional<T> read) {
    expect(read.has_value());
    return std::move(*read);
  }
  void fail(const std::string& path, const browse::Error& error) {
    fmt::print(stderr, "asp-cp: {}: {}: {}\n", logging::escape(command_.far.host), shown(path),
               logging::escape(error.text));
    const bool forbidden = error.number == EACCES || error.number == EPERM;
    if (code_ == tool::yes) code_ = forbidden ? tool::not_permitted : tool::io;
  }
  void take_listing(const std::string& path, const browse::Field& answer) {
    expect(answer.type == browse::dir || answer.type == browse::file);
    std::vector<browse::Stat> entries;
    if (answer.type == browse::dir) entries = whole(browse::entries_in(answer.value));
    else entries.push_back(whole(browse::stat_in(answer.value)));
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    if (!command_.json) {
      if (command_.sources.size() > 1) out_ += (out_.empty() ? "" : "\n") + shown(path) + ":\n";
      out_ += table_of(entries);
      return;
    }
    json list = json::array();
    for (const auto& each : entries) list.push_back(entry_of(each));
    all_.push_back({{"path", path}, {"entries", std::move(list)}});
  }
  void take_size(const std::string& path, const browse::Field& answer) {
    expect(answer.type == browse::size);
    const auto size = whole(browse::size_in(answer.value));
    const std::int64_t failed = std::int64_t{size.failed_files} + size.failed_directories;
    all_.push_back({{"path", path},
                    {"bytes", size.bytes},
                    {"files", size.files},
                    {"directories", size.directories},
                    {"failed", failed}});
    out_ += fmt::format("{} bytes, {} files, {} directories{}: {}\n", size.bytes, size.files, size.directories,
                        failed == 0 ? "" : fmt::format(", {} not looked at", failed), shown(path));
  }

  const Command& command_;
  std::string out_;
  json all_ = json::array();
  int code_ = tool::yes;
};

}  // namespace

int browse(const Command& command) {
  const std::string& host = command.far.host;
  Remote remote(command, {"ascmd", "-V2"});
  const std::string text = ask(remote, questions(command), host);
  const auto answers = browse::fields(text);
  if (text.empty() || (answers && answers->empty())) explain(remote, host);
  if (!answers || answers->front().type != browse::info)
    throw tool::Failure(tool::bad_input, host + ": what answers there is not ascmd");
  const std::size_t wanted = command.browse == Browse::mv ? 1 : command.sources.size();
  Report report(command);
  for (std::size_t i = 0; i < wanted && i + 1 < answers->size(); ++i)
    report.take(command.sources[i], (*answers)[i + 1]);
  const int code = report.finish();
  if (answers->size() != wanted + 1) explain(remote, host);
  remote.end(seconds(5));
  return code;
}

}  // namespace asp_cp
