#include "gate.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <algorithm>
#include <cstring>

#include "base/failure.h"
#include "base/logging.h"
#include "config/node_passwords.h"
#include "live_config.h"

namespace asperanoded {
namespace {

constexpr unsigned kGateThreads = 2;
constexpr std::size_t kGateQueue = 128;  // more than the tokens of one address
constexpr std::size_t kMaxRemembered = 1024;
constexpr std::size_t kMaxKnown = 4096;
constexpr std::size_t kMaxSame = 256;  // requests that wait for one hash

const config::NodeUser* find(const std::vector<config::NodeUser>& users, const std::string& name) {
  const auto found =
      std::find_if(users.begin(), users.end(), [&](const config::NodeUser& user) { return user.name == name; });
  return found == users.end() ? nullptr : &*found;
}

// The IPv6 network of whole bytes that `client` is in.
IpAddress network_of(const IpAddress& client, std::size_t size) {
  std::uint8_t bytes[16] = {};
  std::memcpy(bytes, client.bytes(), size);
  return IpAddress::from_v6(bytes);
}

void add_part(std::string& into, const std::string& part) {
  const auto size = static_cast<std::uint32_t>(part.size());
  into.append(reinterpret_cast<const char*>(&size), sizeof size);
  into += part;
}

}  // namespace

Gate::Gate(std::string users_file, Timer& timer)
    : file_(std::move(users_file)), timer_(timer), workers_(kGateThreads, kGateQueue) {
  if (gnutls_rnd(GNUTLS_RND_KEY, key_.data(), key_.size()) != 0)
    throw tool::Failure(tool::os, "gnutls_rnd: no random bytes");
  if (::stat(file_.c_str(), &seen_) != 0) seen_ = {};
  users_ = std::make_shared<const Users>(config::node_users::load(file_));
}

void Gate::check(const std::string& header, const IpAddress& client, Done done) {
  // A malformed header is treated as a name and password that nobody has.
  const Credentials credentials = basic_auth::parse(header).value_or(Credentials{});
  std::unique_lock lock(mutex_);
  follow_file();
  const auto digest = this->digest(credentials);
  if (const config::NodeUser* known = remembered(digest)) {
    const config::NodeUser user = *known;
    lock.unlock();
    return done(Outcome::accepted, user);
  }
  Outcome outcome = Outcome::busy;
  if (broken_) {
    outcome = Outcome::broken;
  } else if (const auto same = hashing_.find(digest); same != hashing_.end()) {
    if (same->second.waiting.size() < kMaxSame) return same->second.waiting.push_back(std::move(done));
  } else {
    const Asker asker = asker_of(client, credentials.name);
    if (const auto wait = take_tokens(asker)) {
      hashing_[digest] = {client, asker, {}};
      hashing_[digest].waiting.push_back(std::move(done));
      const auto users = users_;
      lock.unlock();
      return hash_later(*wait, users, credentials, digest);
    }
    outcome = Outcome::throttled;
  }
  lock.unlock();
  done(outcome, {});
}

// Must hold the lock. If the file cannot be read, nobody can log in.
void Gate::follow_file() {
  struct stat now {};
  if (::stat(file_.c_str(), &now) != 0) now = {};
  if (is_same_version(now, seen_)) return;
  seen_ = now;
  memory_.clear();
  try {
    users_ = std::make_shared<const Users>(config::node_users::load(file_));
    broken_ = false;
  } catch (const std::exception& fault) {
    users_ = std::make_shared<const Users>();
    broken_ = true;
    logging::error("{}", logging::escape(fault.what()));
  }
}

// The digest is keyed by this process, so it is of no use elsewhere. It includes the stored hash, so a
// new password invalidates the old digest.
Gate::Digest Gate::digest(const Credentials& credentials) const {
  std::string text;
  add_part(text, credentials.name);
  add_part(text, credentials.password);
  const config::NodeUser* user = find(*users_, credentials.name);
  add_part(text, user ? user->hash : "");
  Digest digest;
  const int failed =
      gnutls_hmac_fast(GNUTLS_MAC_SHA256, key_.data(), key_.size(), text.data(), text.size(), digest.data());
  gnutls_memset(text.data(), 0, text.size());
  if (failed != 0) throw tool::Failure(tool::internal, "gnutls_hmac_fast failed");
  return digest;
}

const config::NodeUser* Gate::remembered(const Digest& digest) {
  const auto found = memory_.find(digest);
  if (found == memory_.end() || found->second.until < Clock::now()) return nullptr;
  return find(*users_, found->second.name);
}

void Gate::remember(const Digest& digest, const std::string& name) {
  const auto now = Clock::now();
  if (memory_.size() >= kMaxRemembered) std::erase_if(memory_, [&](const auto& one) { return one.second.until < now; });
  if (memory_.size() >= kMaxRemembered) memory_.clear();
  memory_[digest] = {name, now + kRememberedFor};
}

// All texts that cannot be names count as one name.
Gate::Asker Gate::asker_of(const IpAddress& client, const std::string& name) {
  const std::string address = client.is_v4() ? client.text() : network_of(client, 8).text();
  return {address, client.is_v4() ? "" : network_of(client, 6).text(),
          address + " " + (config::node_users::is_name(name) ? name : "")};
}

// Each hash takes a token of each kind; a right password gets them back. Whoever has logged in from there
// before waits only because of guesses at their own name.
std::optional<std::chrono::milliseconds> Gate::take_tokens(const Asker& asker) {
  const auto now = Clock::now();
  const auto of_name = of_names_.take(asker.name, now);
  if (!of_name || known_.contains(asker.name)) return of_name;
  const auto of_address = of_addresses_.take(asker.address, now);
  const auto of_site = asker.site.empty() ? of_address : of_sites_.take(asker.site, now);
  if (of_address && of_site) return std::max({*of_name, *of_address, *of_site});
  of_names_.give_back(asker.name);
  if (of_address) of_addresses_.give_back(asker.address);
  return std::nullopt;
}

void Gate::give_back(const Asker& asker) {
  of_names_.give_back(asker.name);
  if (known_.contains(asker.name)) return;
  of_addresses_.give_back(asker.address);
  of_sites_.give_back(asker.site);
}

// Must not hold the lock: the answer may be given at once.
void Gate::hash_later(std::chrono::milliseconds wait, std::shared_ptr<const Users> users,
                      const Credentials& credentials, const Digest& digest) {
  const auto begin = [this, users = std::move(users), credentials, digest] {
    if (!workers_.post([this, users, credentials, digest] { hash(users, credentials, digest); })) give_up(digest);
  };
  if (wait.count() == 0) begin();
  else timer_.after(wait, begin);
}

void Gate::give_up(const Digest& digest) {
  Hashing asked;
  {
    const std::lock_guard lock(mutex_);
    asked = std::move(hashing_[digest]);
    hashing_.erase(digest);
    give_back(asked.asker);
  }
  for (auto& done : asked.waiting) done(Outcome::busy, {});
}

// Runs in a worker's thread.
void Gate::hash(std::shared_ptr<const Users> users, const Credentials& credentials, const Digest& digest) {
  std::optional<config::NodeUser> user;
  try {
    user = config::node_users::authenticate(*users, credentials.name, credentials.password);
  } catch (const std::exception& fault) {
    logging::error("Cannot check a password: {}", logging::escape(fault.what()));
  }
  conclude(digest, credentials.name, user);
}

void Gate::conclude(const Digest& digest, const std::string& name, const std::optional<config::NodeUser>& user) {
  Hashing asked;
  {
    const std::lock_guard lock(mutex_);
    asked = std::move(hashing_[digest]);
    hashing_.erase(digest);
    if (user) {
      remember(digest, user->name);
      give_back(asked.asker);
      if (known_.size() < kMaxKnown) known_.insert(asked.asker.name);
    }
  }
  if (!user)
    logging::event("Refused login user={} address={}", name.empty() ? "?" : logging::told(name), asked.client.text());
  for (auto& done : asked.waiting) {
    if (user) done(Outcome::accepted, *user);
    else timer_.after(kRefusalDelay, [done = std::move(done)] { done(Outcome::refused, {}); });
  }
}
}  // namespace asperanoded
