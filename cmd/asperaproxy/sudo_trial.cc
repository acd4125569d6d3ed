#include "sudo_trial.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include <fmt/core.h>

#include "base/child.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/paths.h"
#include "base/record.h"
#include "base/status.h"
#include "judge.h"
#include "session/dialer.h"
#include "session/holder.h"
#include "session/privileged.h"
#include "session/trial.h"
#include "sudo_settings.h"
#include "tried_as.h"

namespace sudo_trial {
namespace {

using doctor::Verdict;
using doctor::Verdicts;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr seconds kPatience{10};
constexpr seconds kSlowStart{5};
constexpr seconds kLongestTrials{15};  // to begin a trial of another user

std::string silence(const std::string& helper) {
  return fmt::format("sudo did not get {} to answer within {} s; sessions wait {} s", helper, kPatience.count(),
                     session::Privileged::kFirstLineTime.count());
}

status::Line read(const std::string& outcome) { return status::parse(outcome.substr(0, outcome.size() - 1)); }

// "outcome helper=asp-pinhole complaint=... started=true ms=31" for the first helper that does not
// answer well, or for all.
std::string outcome(const std::string& helper, session::Privileged& tried, Clock::time_point began) {
  const auto line = tried.await(Deadline::at(began + kPatience));
  std::string complaint;
  if (!line) complaint = tried.hung_up() ? tried.complaint() : silence(helper);
  else if (line->event != "works") complaint = fmt::format("{} {}", line->event, line->get("reason"));
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
  return status::Line{"outcome", {}}
      .with("helper", helper)
      .with("complaint", complaint)
      .with("started", line ? "true" : "false")
      .with("ms", std::to_string(took.count()))
      .text();
}

// Tries both at once, as a session has them.
std::string try_session() {
  const auto began = Clock::now();
  session::Dialer dialer(session::trial::question());
  session::Holder holder(session::trial::question());
  const std::string first = outcome("asp-pinhole", holder, began);
  return read(first).get("complaint").empty() ? outcome("asp-upstream", dialer, began) : first;
}

std::string helper(const char* name) { return std::string(paths::kLibexec) + name; }

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// True if the settings that switch them off are in place.
bool is_in_place() {
  try {
    return doctor::read_file(sudo_settings::kFile) == sudo_settings::text();
  } catch (const tool::Failure&) {
    return false;
  }
}

// A complaint that several users have in common is one verdict: kUsers stands for their names.
constexpr char kUsers[] = "%s";

std::string cure_of(const std::vector<std::string>& settings) {
  if (settings.empty())
    return "sudo -l -U USER  # is the line @includedir /etc/sudoers.d in /etc/sudoers? What do the modules of "
           "/etc/pam.d/sudo wait for?";
  if (!is_in_place()) return "asperaproxy sudoers";
  std::string names;
  for (const auto& one : settings) names += fmt::format("{}{}", names.empty() ? "" : "|", one.substr(0, one.find('=')));
  return fmt::format("grep -rE '{}' /etc/sudoers /etc/sudoers.d  # take that out, or put it in a file whose name sorts "
                     "before zz-sallyport",
                     names);
}

// With requiretty, for example, sudo cannot list anything either.
std::vector<std::string> written() {
  std::string text = doctor::read_file("/etc/sudoers");
  for (const auto& entry : std::filesystem::directory_iterator("/etc/sudoers.d"))
    text += "\n" + doctor::read_file(entry.path());
  return sudo_settings::written_in(text);
}

Verdicts judge(const std::string& user, std::string (*attempt)(), const std::vector<std::string>& helpers) {
  const std::string listing = grants_of(user, helpers).out;
  const auto settings = sudo_settings::in_force(listing, helpers);
  const std::string answer = tried_as::ask(user, attempt, kPatience + seconds(5));
  const bool heard = answer.starts_with("outcome ");
  const auto said = heard ? read(answer) : status::Line{};
  const std::string complaint = heard ? said.get("complaint") : answer;
  if (!complaint.empty()) {
    const auto suspects = listing.empty() ? written() : settings;
    const std::string on = suspects.empty() ? "" : fmt::format("; sudo has on: {}", joined(suspects));
    const std::string cure = suspects.empty() && said.get("started") == "true"
                                 ? "asperaproxy check  # once that is mended"
                                 : cure_of(suspects);
    return {doctor::fail(fmt::format("{} cannot run {}: {}{}", kUsers, helper(said.get("helper").c_str()),
                                     complaint.substr(0, complaint.find('\n')), on),
                         cure)};
  }
  Verdicts found;
  // Settings whose effect a trial is too short to show.
  for (const auto& one : settings) {
    if (one.starts_with("command_timeout"))
      found.push_back(
          doctor::fail(fmt::format("sudo ends all sessions of {} that last: {}", kUsers, one), cure_of({one})));
  }
  if (std::stoll(said.get("ms")) > milliseconds(kSlowStart).count()) {
    found.push_back(
        doctor::warn(fmt::format("sudo takes more than {} s to start a helper for {}, and each session waits for that",
                                 kSlowStart.count(), kUsers),
                     "cat /etc/pam.d/sudo  # what do these modules wait for? Is this host's own name in /etc/hosts?"));
  }
  return found;
}

std::string named(std::string text, const std::vector<std::string>& users) {
  if (const auto at = text.find(kUsers); at != text.npos)
    text.replace(at, std::string(kUsers).size(), doctor::listed(users));
  return text;
}

}  // namespace

doctor::Answer grants_of(const std::string& user, const std::vector<std::string>& helpers) {
  auto answer = doctor::ask_once({paths::kSudo, "-n", "-l", "-U", user});
  std::string& text = answer.out;
  for (const auto& helper : helpers) {
    const auto at = text.rfind(helper);
    if (at == text.npos || text.compare(at + helper.size(), 3, " \"\"") == 0) continue;
    if (!doctor::ask_once({paths::kSudo, "-n", "-l", "-U", user, helper, "argument"}).well())
      text.insert(at + helper.size(), " \"\"");
  }
  return answer;
}

Verdicts of_members(const std::vector<std::string>& users) {
  const auto deadline = Deadline::in(kLongestTrials);
  std::vector<std::pair<Verdict, std::vector<std::string>>> all;
  Verdicts found;
  for (const auto& user : users) {
    if (deadline.over()) {
      found.push_back(doctor::warn(fmt::format("{} and those after it were not tried", user),
                                   "asperaproxy check  # once that is mended"));
      break;
    }
    for (const auto& verdict : judge(user, try_session, {helper("asp-pinhole"), helper("asp-upstream")})) {
      auto same = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.first.what == verdict.what; });
      if (same == all.end()) same = all.insert(all.end(), {verdict, {}});
      same->second.push_back(user);
    }
  }
  for (auto at = all.rbegin(); at != all.rend(); ++at)
    found.insert(found.begin(), {at->first.grade, named(at->first.what, at->second), at->first.cure, at->first.steps});
  return found;
}

}  // namespace sudo_trial
