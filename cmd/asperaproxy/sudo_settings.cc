#include "sudo_settings.h"

#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include <fmt/core.h>

#include "base/child.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/paths.h"

namespace sudo_settings {
namespace {

constexpr char kVisudo[] = "/usr/sbin/visudo";
constexpr int kSeconds = 20;
constexpr std::size_t kMaxOutput = 64 * 1024;

constexpr char kHead[] = "# Sallyport: what this host's sudo is to leave alone when it starts the suite's\n"
                         "# helpers, as far as it knows it. Written by `asperaproxy sudoers`, which writes it\n"
                         "# anew: what is changed here is lost. The rights are in the file sallyport.\n"
                         "#\n"
                         "# The name is a late one: of two settings for one command, sudo takes the later.\n";

const std::vector<std::string>& harmful() {
  static const std::vector<std::string> all{"use_pty",     "requiretty", "log_input",      "log_stdin",  "log_ttyin",
                                            "log_output",  "log_stdout", "log_stderr",     "log_ttyout", "intercept",
                                            "log_subcmds", "runcwd",     "command_timeout"};
  return all;
}

// Settings without which sudo becomes the helper instead of waiting for it: a PAM session and
// credentials, which the helpers do not use. That is less to start, and less to keep.
const std::vector<std::string>& superfluous() {
  static const std::vector<std::string> all{"pam_session", "pam_setcred"};
  return all;
}

// Where sudo was built to look up this host's full name (fqdn), as Debian's is, it does so before it looks for a
// command, and waits for name servers that are silent. It obeys this for accounts only.
constexpr char kNoLookup[] = "Defaults:%sallyport !fqdn";

std::string helpers() {
  std::string list;
  for (const char* helper : {"asp-pinhole", "asp-upstream"})
    list += fmt::format("{}{}{} \"\"", list.empty() ? "" : ", ", paths::kLibexec, helper);
  return list;
}

std::vector<std::string> wanted() {
  std::vector<std::string> lines;
  for (const auto* settings : {&harmful(), &superfluous()}) {
    for (const auto& one : *settings) lines.push_back(fmt::format("Defaults!SALLYPORT_ALL !{}", one));
  }
  lines.push_back(kNoLookup);
  return lines;
}

std::string file_with(const std::vector<std::string>& lines) {
  std::string text = kHead + fmt::format("Cmnd_Alias SALLYPORT_ALL = {}\n", helpers());
  for (const auto& line : lines) text += line + "\n";
  return text;
}

bool takes(const std::string& text) {
  const Fd file(::memfd_create("sudoers", MFD_CLOEXEC));
  if (!file) tool::fail_errno(tool::os, "memfd_create");
  io::write_all(file.get(), text);
  return child::run({{kVisudo, "-cf", "/proc/self/fd/3"}, env::allow({}), {{file.get(), 3}}}, "", kMaxOutput, kSeconds)
             .status == 0;
}

// --- the settings that sudo lists ----------------------------------------------------

// Splits at commas that are neither within quotes nor escaped.
std::vector<std::string> items_of(std::string_view text) {
  std::vector<std::string> items(1);
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\' && at + 1 < text.size()) {
      items.back() += text.substr(at++, 2);
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted) items.emplace_back();
    else if (c != ' ' || !items.back().empty()) items.back() += c;
  }
  return items;
}

using State = std::map<std::string, std::string>;  // the settings that are on, as they are written

// "!name" is off, "name=value" and "name" are on.
void note(const std::string& setting, State& state) {
  const bool off = setting.starts_with('!');
  const std::string name = setting.substr(off ? 1 : 0, setting.find('=') - (off ? 1 : 0));
  state.erase(name);
  if (!off) state.emplace(name, setting);
}

// Reads `/x/asp-pinhole "", /x/asp-upstream "" !use_pty, requiretty`: the settings begin as the last
// word of the last item of the list.
void note_bound(std::string_view text, const std::vector<std::string>& helpers, State& state) {
  bool concerns = false;
  bool listing = true;
  for (const auto& item : items_of(text)) {
    std::string setting = item;
    if (listing) {
      const auto ours = [&](const std::string& one) { return item.starts_with(one); };
      concerns = concerns || item.starts_with("ALL") || item.starts_with("root") ||
                 std::any_of(helpers.begin(), helpers.end(), ours);
      const auto blank = item.find_last_of(' ');
      listing = blank == item.npos;
      setting = item.substr(listing ? item.size() : blank + 1);
      // `/x/asp-pinhole ""` alone is an item of the list, and others follow.
      if (setting.empty() || setting == "\"\"") {
        listing = true;
        continue;
      }
    }
    if (concerns) note(setting, state);
  }
}

}  // namespace

std::string text() {
  const std::vector<std::string> all = wanted();
  if (takes(file_with(all))) return file_with(all);
  std::vector<std::string> known;
  std::copy_if(all.begin(), all.end(), std::back_inserter(known),
               [](const std::string& line) { return takes(file_with({line})); });
  if (known.empty()) throw tool::Failure(tool::os, fmt::format("{} takes no setting for single commands", kVisudo));
  return file_with(known);
}

std::vector<std::string> in_force(std::string_view listing, const std::vector<std::string>& helpers) {
  constexpr std::string_view kAccountHeading = "Matching Defaults entries for ";
  constexpr std::string_view kCommandHeading = "    Defaults";
  State state;
  if (const auto generic = listing.find(kAccountHeading); generic != listing.npos) {
    const auto from = listing.find('\n', generic);
    const auto until = listing.find("\n\n", generic);
    if (from < until) {
      for (const auto& setting : items_of(listing.substr(from + 1, until - from - 1))) note(setting, state);
    }
  }
  // Settings of accounts may come before those of commands, without a line between.
  for (auto at = listing.find(kCommandHeading); at != listing.npos; at = listing.find(kCommandHeading, at + 1)) {
    const auto from = at + kCommandHeading.size();
    const auto until = std::min(listing.find(kCommandHeading, from), listing.find('\n', from));
    if (from < listing.size() && (listing[from] == '!' || listing[from] == '>'))
      note_bound(listing.substr(from + 1, std::min(until, listing.size()) - from - 1), helpers, state);
  }
  std::vector<std::string> found;
  for (const auto& name : harmful()) {
    if (const auto on = state.find(name); on != state.end()) found.push_back(on->second);
  }
  return found;
}

std::vector<std::string> written_in(std::string_view sudoers) {
  std::set<std::string_view> words;
  for (auto line : cut::lines(sudoers)) {
    if (!line.starts_with("Defaults")) continue;
    line.remove_prefix(std::min(line.find_first_of(" \t"), line.size()));
    for (const auto word : cut::words(line, ",= \t\r")) words.insert(word);
  }
  std::vector<std::string> found;
  std::copy_if(harmful().begin(), harmful().end(), std::back_inserter(found),
               [&](const std::string& name) { return words.count(name) != 0; });
  return found;
}

}  // namespace sudo_settings
