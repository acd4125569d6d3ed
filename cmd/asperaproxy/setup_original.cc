#include "setup_original.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/decimal.h"
#include "base/failure.h"
#include "base/paths.h"
#include "config/config.h"
#include "config/editing.h"
#include "setup_host.h"

namespace asperaproxy::setup {
namespace {

using config::xml::Element;
constexpr char kFile[] = "x";  // in messages that are taken apart

// "x:12:7: why"
struct Complaint {
  config::xml::Position position;
  std::string why;
};

std::optional<Complaint> complaint_of(const std::string& message) {
  const auto fields = cut::fields(message, ':');
  if (fields.size() < 4 || fields[0] != kFile) return std::nullopt;
  const auto line = parse_decimal(fields[1], 1, 1'000'000'000), column = parse_decimal(fields[2], 1, 1'000'000'000);
  if (!line || !column) return std::nullopt;
  const std::size_t at = fields[0].size() + fields[1].size() + fields[2].size() + 3;
  return Complaint{{static_cast<unsigned long>(*line), static_cast<unsigned long>(*column)},
                   std::string(cut::trimmed(std::string_view(message).substr(at)))};
}

// The element at that place, or the rule that it is in; nullptr: there is none that could go.
const Element* culprit(const Element& parent, const config::xml::Position& place) {
  for (const auto& child : parent.children) {
    const bool here = child.position.line == place.line && child.position.column == place.column;
    if (here) return &child;
    if (const auto* const found = culprit(child, place)) return child.name == "rule" ? &child : found;
  }
  return nullptr;
}

std::optional<Complaint> complaint_about(const std::string& text) {
  try {
    config::parse(text, kFile);
    return std::nullopt;
  } catch (const tool::Failure& failure) {
    auto complaint = complaint_of(failure.what());
    if (!complaint) throw;
    return complaint;
  }
}

// --- sudoers -----------------------------------------------------------------------------------

bool is_restore(std::string_view command) {
  return command == "/sbin/iptables-restore" || command == "/usr/sbin/iptables-restore" ||
         command == "/sbin/ip6tables-restore" || command == "/usr/sbin/ip6tables-restore";
}

// The commands of "bear ALL = (ALL) NOPASSWD: /sbin/iptables-restore, /bin/x".
std::vector<std::string_view> commands_of(std::string_view line) {
  std::vector<std::string_view> commands;
  for (auto command : cut::fields(line, ',')) {
    if (const auto tag = command.rfind(':'); tag != command.npos) command = command.substr(tag + 1);
    else if (const auto runas = command.rfind(')'); runas != command.npos) command = command.substr(runas + 1);
    else if (const auto equals = command.find('='); equals != command.npos) command = command.substr(equals + 1);
    commands.push_back(cut::trimmed(command));
  }
  return commands;
}

std::vector<std::string> sudoers_files() {
  std::vector<std::string> files{"/etc/sudoers"};
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/etc/sudoers.d", none)) {
    const std::string name = entry.path().filename();
    if (name.find('.') == name.npos && !name.ends_with('~')) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Taken take_over(std::string text) {
  constexpr int kMostComplaints = 1000;
  Taken taken{std::move(text), {}};
  for (int i = 0; i < kMostComplaints; ++i) {
    const auto complaint = complaint_about(taken.text);
    if (!complaint) return taken;
    const auto document = config::xml::parse(taken.text, kFile);
    const Element* const found = culprit(document, complaint->position);
    if (!found) break;
    taken.left_out.push_back(fmt::format("{}:{}: <{}>: {}", complaint->position.line, complaint->position.column,
                                         found->name, complaint->why));
    config::editing::remove(taken.text, *found);
  }
  config::parse(taken.text, paths::kConfig);
  throw tool::Failure(tool::config, "aspera.conf has too much in it that is not understood");
}

Grants without_restore(std::string_view sudoers) {
  Grants grants;
  bool continued = false;
  for (const auto line : cut::lines(sudoers)) {
    const auto commands = commands_of(line);
    const bool comment = cut::trimmed(line).starts_with('#');
    const bool has = !comment && std::any_of(commands.begin(), commands.end(), is_restore);
    const bool whole = !continued && !line.ends_with('\\') && line.find("_Alias") == line.npos;
    continued = line.ends_with('\\');
    if (has && whole && std::all_of(commands.begin(), commands.end(), is_restore)) {
      grants.deleted.emplace_back(line);
      continue;
    }
    if (has) grants.by_hand.emplace_back(line);
    grants.text += fmt::format("{}\n", line);
  }
  return grants;
}

std::map<std::string, Grants> old_grants() {
  std::map<std::string, Grants> found;
  for (const auto& file : sudoers_files()) {
    auto grants = without_restore(text_of(file).value_or(""));
    if (!grants.deleted.empty() || !grants.by_hand.empty()) found.emplace(file, std::move(grants));
  }
  return found;
}

}  // namespace asperaproxy::setup
