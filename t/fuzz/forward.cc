// What asp-forward reads: the answers of a proxy that is not trusted, the URL of it, words with %.
//
// options: -max_len=8192
#include "../../cmd/asp-forward/answer.h"
#include "../../cmd/asp-forward/known_proxies.h"
#include "../../cmd/asp-forward/proxy_url.h"
#include "../../cmd/asp-forward/settings.h"
#include "../../cmd/asp-forward/words.h"
#include "fuzz.h"

namespace {

void url(const std::string& text) {
  const auto parsed = fuzz::accepted(tool::usage, [&] { return forward::ProxyUrl::parse(text); });
  if (parsed) fuzz::must(parsed->host.port != 0, "a proxy has a port");
  std::string shown = text.c_str();
  const std::string before = shown;
  forward::hide_password(shown.data());
  fuzz::must(shown.size() == before.size(), "a URL keeps its length");
  if (!parsed || !parsed->password || before != text) return;
  fuzz::must(forward::ProxyUrl::parse(shown).host == parsed->host, "only the password is hidden");
  const auto hidden = *forward::ProxyUrl::parse(shown).password;
  fuzz::must(hidden.find_first_not_of('*') == std::string::npos, "all of the password is hidden");
}

}  // namespace

void fuzz::one(std::string_view input) {
  const std::string text(input);
  if (const auto leased = fuzz::accepted(tool::bad_input, [&] { return forward::parse_lease(text); })) {
    fuzz::must(leased->ssh_port != 0 && leased->udp_ports.low <= leased->udp_ports.high, "ports are ports");
    fuzz::must(leased->renew_seconds.count() >= 0 && leased->renew_seconds <= std::chrono::hours(24 * 366),
               "a renewal is due within a year");
    fuzz::must(fuzz::is_printable(leased->expires), "a time is printable");
    const std::string destination = "server";
    const std::string word = forward::substitute("%h %P %O %H%%", {*leased, destination});
    fuzz::must(fuzz::is_printable(word) && word.ends_with("server%"), "words are what a lease says");
  }
  fuzz::must(forward::sentence({404, text, ""}).size() <= 512, "the proxy's sentence is bounded");
  url(text);
  if (const auto set = fuzz::accepted(tool::config, [&] { return forward::Settings::parse(text, "f"); }))
    fuzz::must(!set->proxy || !set->proxy->password, "a settings file has no password");
  const HostPort proxy{"p", 9092};
  if (const auto rest = fuzz::accepted(tool::config, [&] { return forward::known_proxies::without(text, "f", proxy); });
      rest && *rest)
    fuzz::must(!forward::known_proxies::fingerprint_of(**rest, "f", proxy), "a proxy is forgotten");
  forward::percent_decode(text);
  fuzz::accepted(tool::usage, [&] { return forward::check_words({text}), true; });
}
