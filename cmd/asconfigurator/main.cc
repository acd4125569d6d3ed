// asconfigurator: changes values in aspera.conf, and nothing else; asconfigurator(8).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/tool.h"
#include "config/config.h"
#include "config/file.h"
#include "editor.h"
#include "item.h"

namespace {

using asconfigurator::Change;

constexpr char kUsage[] = "asconfigurator {-x item | -F item | -f file}... [[-c] aspera.conf]\nasconfigurator [[-c] "
                          "aspera.conf] < items   (one a line)";
constexpr char kEmpty[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CONF version=\"2\">\n</CONF>\n";
constexpr std::size_t kMaxInput = 64 * 1024;
constexpr std::size_t kMaxChanges = 1000;

void append(std::vector<Change>& changes, std::vector<Change> more) {
  std::move(more.begin(), more.end(), std::back_inserter(changes));
}

// Reads one item a line; empty lines and comments (#) are skipped.
void append_lines(std::vector<Change>& changes, const std::string& path) {
  const bool standard = path == "-";
  const std::string name = standard ? "stdin" : path;
  Fd opened;
  if (!standard) opened = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!standard && !opened) tool::fail_errno(tool::usage, "open " + path);
  const std::string text = io::read_all(standard ? STDIN_FILENO : opened.get(), kMaxInput, name);
  std::size_t number = 0;
  for (const auto line : cut::lines(text)) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    try {
      append(changes, asconfigurator::parse_item(line));
    } catch (const tool::Failure& failure) {
      throw tool::Failure(tool::bad_input, fmt::format("{}:{}: {}", name, number, failure.what()));
    }
  }
}

std::vector<Change> changes_of(const Options& options) {
  std::vector<Change> changes;
  if (!options.has('x') && !options.has('F') && !options.has('f')) append_lines(changes, "-");
  for (const auto& [letter, argument] : options.in_order) {
    // The original's -f is followed by an item, too.
    const bool item = letter == 'x' || letter == 'F' || (letter == 'f' && argument.find(';') != argument.npos);
    if (item) append(changes, asconfigurator::parse_item(argument));
    else if (letter == 'f') append_lines(changes, argument);
  }
  if (changes.size() > kMaxChanges)
    throw tool::Failure(tool::usage, fmt::format("more than {} values at once", kMaxChanges));
  return changes;
}

bool is_secret(const Change& change) { return change.item.option().value == config::schema::Value::secret; }

std::string shown(const Change& change, const std::optional<std::string>& value) {
  if (!value) return "not set";
  if (is_secret(change)) return "\"********\"";
  std::string escaped;
  for (const char c : logging::escape(*value)) escaped += c == '"' ? std::string("\\\"") : std::string(1, c);
  return "\"" + escaped + "\"";
}

// The report of one change: user faspex: authorization_transfer_in_value: "allow" -> "token"
std::string report(const Change& change, const std::optional<std::string>& before) {
  std::string section(change.section.back());
  if (!change.account.empty()) section += " " + logging::escape(change.account);
  const std::string prefix = section == "server" ? "" : section + ": ";
  const std::string was = shown(change, before);
  if (before == change.value) return fmt::format("{}{}: {} as before\n", prefix, change.item.name, was);
  return fmt::format("{}{}: {} -> {}\n", prefix, change.item.name, was, shown(change, change.value));
}

bool is_valid(const std::string& text) {
  try {
    config::parse(text, "");
    return true;
  } catch (const tool::Failure&) {
    return false;
  }
}

void check(const std::string& text, const std::string& old, const std::string& file) {
  try {
    config::parse(text, file);
  } catch (const tool::Failure& failure) {
    const char* why =
        is_valid(old) ? "the file would be invalid" : "the file is invalid (see asuserdata -v), and still would be";
    throw tool::Failure(failure.code(), fmt::format("nothing was changed: {}: {}", why, failure.what()));
  }
}

void warn_of_secrets(const std::vector<Change>& changes, const std::string& file, mode_t mode) {
  const bool set = std::any_of(changes.begin(), changes.end(),
                               [](const Change& change) { return is_secret(change) && change.value; });
  if (!set || (mode & S_IROTH) == 0) return;
  fmt::print(stderr,
             "asconfigurator: warning: {} now holds the key of the tokens, and all users can read it (mode {:04o}); "
             "the key belongs on the transfer nodes, not on the proxy\n",
             logging::escape(file), mode);
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "x:F:f:c:", kUsage);
  if (options.operands.size() > 1 || (options.has('c') && !options.operands.empty()))
    options::fail_usage(kUsage, "one file can be given; put the item in quotes");
  const bool given = options.has('x') || options.has('F') || options.has('f');
  if (!given && ::isatty(STDIN_FILENO) == 1) options::fail_usage(kUsage, "an item is needed");
  const auto changes = changes_of(options);
  if (changes.empty()) options::fail_usage(kUsage, "an item is needed");
  const std::string path = options.operands.empty() ? options.get('c', paths::kConfig) : options.operands[0];

  // Exceeding a limit on file sizes then is an error like a full file system.
  std::signal(SIGXFSZ, SIG_IGN);
  config::file::Locked file(path, kEmpty);
  std::string text = file.text();
  std::string answer;
  for (const auto& change : changes) {
    auto edited = asconfigurator::apply(text, change, path);
    text = std::move(edited.text);
    answer += report(change, edited.before);
  }
  if (text != file.text()) {
    check(text, file.text(), path);
    file.replace(text);
    if (file.is_new()) fmt::print(stderr, "asconfigurator: made {}, which did not exist\n", logging::escape(path));
    warn_of_secrets(changes, path, file.mode());
  }
  io::write_all(STDOUT_FILENO, answer);
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asconfigurator", kUsage, run, argc, argv, tool::Audience::operators);
}
