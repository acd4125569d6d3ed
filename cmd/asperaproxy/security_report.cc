#include "security_report.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/logging.h"

namespace security {
namespace {

constexpr std::string_view kMark = ". Cure: ";

using Json = nlohmann::ordered_json;

std::size_t count_of(const Report& report, const std::string& check) {
  return static_cast<std::size_t>(std::count_if(report.findings.begin(), report.findings.end(),
                                                [&](const Finding& one) { return one.check == check; }));
}

// What is not UTF-8 is shown as in the text.
Json string_of(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return text;
  } catch (const Json::exception&) {
    return logging::escape(text);
  }
}

}  // namespace

std::string text(const Report& report, bool all) {
  std::string out =
      fmt::format("Users with full access: {} (not considered insecure)\nRestricted users: {}\nInsecure users: {}\n",
                  report.full_access, report.restricted, report.insecure);
  for (const auto& check : checks()) out += fmt::format("- {}: {}\n", check.words, count_of(report, check.name));
  if (report.docroots_elsewhere > 0)
    out += fmt::format("Docroots that nothing on this host enforces, but internal servers may: {}\n",
                       report.docroots_elsewhere);
  if (all) {
    out += "\nUsers:\n";
    for (const auto& [name, kind] : report.accounts) out += fmt::format("{}: {}\n", logging::escape(name), kind);
  }
  if (!report.findings.empty()) out += "\nFindings:\n";
  for (const auto& one : report.findings)
    out += fmt::format(
        "{}{}{}\n",
        doctor::unlike_cure(fmt::format("{} {}: {}", one.of_user ? "user" : "file", one.subject, one.what), kMark),
        kMark, doctor::pasteable(one.cure));
  return out;
}

std::string json(const Report& report, bool all) {
  Json object{{"secure", report.findings.empty()},
              {"full_access", report.full_access},
              {"restricted", report.restricted},
              {"insecure", report.insecure},
              {"docroots_elsewhere", report.docroots_elsewhere}};
  for (const auto& check : checks()) object["checks"][check.name] = count_of(report, check.name);
  object["findings"] = Json::array();
  for (const auto& one : report.findings)
    object["findings"].push_back({{"check", one.check},
                                  {one.of_user ? "user" : "file", string_of(one.subject)},
                                  {"what", string_of(one.what)},
                                  {"cure", string_of(one.cure)}});
  if (all) {
    object["users"] = Json::array();
    for (const auto& [name, kind] : report.accounts)
      object["users"].push_back({{"name", string_of(name)}, {"class", kind}});
  }
  return object.dump(-1, ' ', true) + "\n";
}

}  // namespace security
