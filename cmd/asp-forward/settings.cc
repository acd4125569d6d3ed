#include "settings.h"

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/record.h"
#include "http/node_client.h"
#include "own_file.h"

namespace forward {
namespace {

constexpr char kOfSystem[] = "/etc/asp-forward.conf";

[[noreturn]] void wrong(const std::string& path, const std::string& why) {
  throw tool::Failure(tool::config, path + ": " + why);
}

ProxyUrl proxy_of(const std::string& url, const std::string& path) {
  try {
    auto proxy = ProxyUrl::parse(url);
    // Such a file may be open to read for all.
    if (proxy.password) wrong(path, "proxy: write a password to a file that password_file names, not here");
    return proxy;
  } catch (const tool::Failure& failure) {
    if (failure.code() == tool::config) throw;
    wrong(path, failure.what());
  }
}

// A file's name: absolute, or in the home directory.
std::string file_of(const std::string& value, const std::string& name, const std::string& path) {
  if (value.empty() || value.starts_with('/')) return value;
  const auto home = env::get("HOME");
  if (value.starts_with("~/") && home && home->starts_with('/')) return *home + value.substr(1);
  wrong(path, fmt::format("{}: '{}' begins neither with / nor with ~/", name, value));
}

void check_number(const std::string& path, const std::string& name, const std::string& value, long high) {
  if (!value.empty() && !parse_decimal(value, 1, high))
    wrong(path, fmt::format("{} {}: not a number from 1 to {}", name, value, high));
}

bool same(const ProxyUrl& one, const ProxyUrl& other) { return one.tls == other.tls && one.host == other.host; }

}  // namespace

Settings Settings::parse(std::string_view text, const std::string& path) {
  Settings settings;
  try {
    const auto records = record::parse_all(text);
    if (records.size() > 1) wrong(path, "an empty line between two settings");
    const Record record = records.empty() ? Record() : records.front();
    record.check_names({"proxy", "user", "password_file", "fingerprint", "ca", "timeout", "ssh_port", "udp_port"});
    const auto get = [&](const char* name) { return record.get(name).value_or(""); };
    if (const auto url = record.get("proxy")) settings.proxy = proxy_of(*url, path);
    settings.user = get("user");
    settings.password_file = file_of(get("password_file"), "password_file", path);
    settings.ca = file_of(get("ca"), "ca", path);
    settings.timeout = get("timeout");
    settings.ssh_port = get("ssh_port");
    settings.udp_port = get("udp_port");
    if (const auto shown = record.get("fingerprint")) {
      const auto fingerprint = node_client::parse_fingerprint(*shown);
      if (!fingerprint) wrong(path, "fingerprint: expected the 64 hex digits of a SHA-256, with or without colons");
      settings.fingerprint = *fingerprint;
    }
  } catch (const tool::Failure& failure) {
    if (failure.code() == tool::config) throw;
    wrong(path, failure.what());
  }
  check_number(path, "timeout", settings.timeout, 300);
  check_number(path, "ssh_port", settings.ssh_port, 65535);
  if (!settings.udp_port.empty() && !PortRange::parse(settings.udp_port))
    wrong(path, fmt::format("udp_port {}: not a port, or LOW:HIGH", settings.udp_port));
  if (settings.user.find(':') != std::string::npos || settings.user.size() > 256)
    wrong(path, "user: not a user's name");
  if (!settings.fingerprint.empty() && !settings.ca.empty()) wrong(path, "fingerprint and ca cannot be combined");
  return settings;
}

void Settings::fall_back_on(const Settings& others) {
  // Settings for another proxy do not apply to this one.
  const bool belongs = !proxy || (others.proxy && same(*proxy, *others.proxy));
  const auto take = [](std::string& value, const std::string& other) {
    if (value.empty()) value = other;
  };
  if (belongs) {
    if (!proxy) proxy = others.proxy;
    take(user, others.user);
    take(password_file, others.password_file);
    if (fingerprint.empty() && ca.empty()) {
      fingerprint = others.fingerprint;
      ca = others.ca;
    }
  }
  take(timeout, others.timeout);
  take(ssh_port, others.ssh_port);
  take(udp_port, others.udp_port);
}

Settings Settings::load() {
  Settings settings;
  for (const auto& path : {own_file::in_home("settings"), std::string(kOfSystem)}) {
    if (path.empty()) continue;
    if (const auto text = own_file::read(path)) settings.fall_back_on(parse(*text, path));
  }
  return settings;
}

void Settings::keep_for(const ProxyUrl& asked) {
  if (proxy && same(*proxy, asked)) return;
  user.clear();
  password_file.clear();
  fingerprint.clear();
  ca.clear();
}

}  // namespace forward
