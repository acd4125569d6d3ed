#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../../cmd/asconfigurator/charset.h"
#include "../../cmd/asconfigurator/editor.h"
#include "../../cmd/asconfigurator/item.h"
#include "base/failure.h"
#include "config/config.h"
#include "config/file.h"
#include "config/schema.h"
#include "config/xml.h"

namespace {

using asconfigurator::Change;
using config::schema::Value;
using config::xml::Element;

std::string edit(std::string text, const std::string& item) {
  for (const auto& change : asconfigurator::parse_item(item))
    text = asconfigurator::apply(text, change, "aspera.conf").text;
  return text;
}

// What is said against `run`, with its code if that is not `expected`.
template <typename Run>
std::string complaint(tool::Exit expected, Run run) {
  try {
    run();
  } catch (const tool::Failure& failure) {
    return (failure.code() == expected ? "" : "exit " + std::to_string(failure.code()) + ": ") + failure.what();
  }
  return "(nothing)";
}

std::string refusal(const std::string& item) {
  return complaint(tool::usage, [&] { asconfigurator::parse_item(item); });
}

// <server> with `inside`.
std::string server(const std::string& inside) { return "<CONF>\n  <server>\n" + inside + "  </server>\n</CONF>\n"; }

// Of the elements that have text or attributes: path, text and attributes. An
// alias counts as the name.
void flatten(const Element& element, const std::string& prefix, std::vector<std::string>& into) {
  const std::string path =
      prefix + "/" + (element.name == "source_port_filtering" ? "src_port_filtering" : element.name);
  std::string said = element.text;
  for (const auto& [name, value] : element.attributes) said += " " + name + "=" + value;
  if (!said.empty()) into.push_back(path + " = " + said);
  for (const auto& child : element.children) flatten(child, path, into);
}

std::vector<std::string> flat(const std::string& text) {
  std::vector<std::string> all;
  flatten(config::xml::parse(text, "aspera.conf"), "", all);
  return all;
}

// `text` without the lines of the value that `change` is about, nor the name of
// an account that is there for it alone.
std::vector<std::string> flat_without(const std::string& text, const Change& change) {
  auto all = flat(text);
  std::string path;
  for (const auto& part : change.section) path += "/" + std::string(part);
  const std::string name = path + "/name = " + change.account;
  for (const auto* option : change.item.path) path += "/" + std::string(option->name);
  std::erase_if(all, [&](const std::string& line) {
    return line.find(path + " = ") != line.npos || (!change.account.empty() && line.ends_with(name));
  });
  return all;
}

// What asuserdata would say of the value of `change`; absent: nullptr.
std::string value_in(const std::string& text, const Change& change) {
  const Element document = config::xml::parse(text, "aspera.conf");
  config::schema::Elements sections = config::schema::find(document, change.section);
  if (!change.account.empty())
    std::erase_if(sections, [&](const Element* each) {
      return !each->child("name") || each->child("name")->text != change.account;
    });
  const Element* given = config::schema::first_given(config::schema::at(sections, change.item.path));
  return given ? given->text : "(none)";
}

// Valid, and different from what stands in the documents below.
std::string sample(const config::schema::Option& option) {
  switch (option.value) {
    case Value::boolean: return option.standard == "true" ? "false" : "true";
    case Value::number: return std::to_string(std::max(option.low, 2L));
    case Value::word: return std::string(option.words.substr(option.words.rfind('|') + 1));
    case Value::text:
    case Value::secret: return "a & b <c> \"d\" 'e' ]]> \xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x91 ; \\";
    case Value::port: return "9000";
    case Value::port_range: return "40000:40010";
    case Value::address: return "192.0.2.77";
    case Value::netmask: return "255.255.255.0";
    case Value::interface: return "bond0.7";
    case Value::host_name: return "proxy-1.example.com";
    case Value::own_addresses: return "198.51.100.39/24, 2001:db8::1/64";
    case Value::endpoints: return "192.0.2.11:6379,[2001:db8::1]:6379";
    case Value::host: return "192.0.2.78:2222";
    case Value::account: return "xfer&co<>";
    case Value::names: return "a,b c";
    case Value::path: return "/p & <q>/\xC3\xA4,x;y";
    case Value::key_path:
    case Value::docroot: return "/home/$(user)/&lt;\xC3\xA9";
    case Value::listen: return "192.0.2.1:9091,9092s";
    case Value::destinations: return "192.0.2.0/24:22,*.example.com";
    default: return "";
  }
}

const std::pair<std::string, std::string> kDocuments[] = {
    {"empty element", "<CONF version=\"2\"/>"},
    {"empty element with a space", "<?xml version='1.0'?>\n<CONF version=\"2\" />\n<!-- end -->\n"},
    {"other spelling of the root", "<conf>\n</conf>"},
    {"no line end", "<CONF><server><rproxy><rules/></rproxy><proxy></proxy></server><default/></CONF>"},
    {"byte order mark, CRLF and tabs",
     "\xEF\xBB\xBF<?xml version=\"1.0\" "
     "encoding=\"UTF-8\"?>\r\n<CONF>\r\n\t<server>\r\n\t\t<rproxy>\r\n\t\t\t<enabled>false</enabled>\t<!-- x -->\r\n"
     "\t\t</rproxy>\r\n\t</server>\r\n\t<aaa>\r\n\t\t<realms/>\r\n\t</aaa>\r\n</CONF>\r\n"},
    {"byte order mark and nothing else", "\xEF\xBB\xBF<CONF/>"},
    {"old line ends", "<CONF>\r <server>\r  <proxy>\r  </proxy>\r </server>\r</CONF>\r"},
    {"look-alikes in comments, CDATA and attributes",
     "<!-- <CONF><server></server></CONF> -->\n<CONF>\n  <other a='&lt;/server>' "
     "b=\"/>\"><![CDATA[<server><http_port>1</http_port></server>]]></other>\n"
     "  <server><!-- <rproxy><enabled>true</enabled></rproxy> -->\n    <?php </server> ?>\n    <proxy><!-- </proxy> "
     "--></proxy>\n"
     "    <rproxy>\n      <!-- last --></rproxy>\n    <foreign>&lt;/server&gt;&#x41;&amp;</foreign>\n  </server>\n"
     "  <default>\n    <authorization ><transfer\n      /></authorization\n    >\n  </default>\n</CONF>"},
    {"values in CDATA, entities and comments",
     "<CONF>\n<server>\n<http_port><![CDATA[81]]></http_port>\n<https_port>&#x38;2</https_port><cert_file>\n  "
     "/a&amp;b<!-- c -->/d\n</cert_file>\n"
     "<rproxy>\n<enabled><!-- off -->false</enabled>\n<log_level/><max_sessions ></max_sessions >\n<rules>\n<rule "
     "host_ip = '192.0.2.1'\n>\n"
     "<host>h</host><keyfile>/k</keyfile><source_port_filtering>true</source_port_filtering>\n</rule>\n</rules>\n</"
     "rproxy>\n</server>\n</CONF>\n"},
    {"Latin 1", "<?xml version=\"1.0\" encoding='ISO-8859-1'?>\n<!-- \xE4 -->\n<CONF>\n  <x>\xE9</x>\n  <server>\n    "
                "<cert_file>/\xE9</cert_file>\n  </server>\n</CONF>\n"},
    {"ASCII", "<?xml version=\"1.0\" encoding=\"us-ascii\" standalone=\"yes\"?><CONF>\n\n</CONF>"},
    {"several of each section",
     "<CONF>\n  <server>\n    <http_port>1</http_port>\n  </server>\n  <server>\n    <rproxy>\n    </rproxy>\n  "
     "</server>\n  <aaa><realms><realm><users>\n"
     "    <user>\n      <name>bear</name>\n    </user>\n    <user><name>faspex</name></user>\n    <user>\n      "
     "<name>faspex</name>\n"
     "      <file_system><access><paths><path><absolute/></path></paths></access></file_system>\n    </user>\n"
     "  </users></realm><realm><groups>\n  "
     "<group><name>&#102;aspex</name><x/></group></groups></realm></realms></aaa>\n  <default/>\n  <default>\n  "
     "</default>\n</CONF>\n"},
};

std::vector<Change> all_changes() {
  std::vector<Change> changes;
  const auto add = [&](const config::schema::Path& section, const std::string& account) {
    for (auto& item : config::schema::items(section))
      changes.push_back({section, account, item, sample(item.option())});
  };
  add({"server"}, "");
  add({"default"}, "");
  add({"aaa", "realms", "realm", "users", "user"}, "faspex");
  add({"aaa", "realms", "realm", "groups", "group"}, "faspex");
  return changes;
}

// How many bytes of `old` are not in `fresh`, if one piece of it was replaced.
std::size_t replaced_bytes(const std::string& old, const std::string& fresh) {
  const auto shorter = std::min(old.size(), fresh.size());
  std::size_t head = 0;
  while (head < shorter && old[head] == fresh[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head && old[old.size() - 1 - tail] == fresh[fresh.size() - 1 - tail]) ++tail;
  return old.size() - head - tail;
}

std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

struct TemporaryDirectory {
  std::string path;
  TemporaryDirectory() {
    char name[] = "/tmp/sallyport-asconfigurator-XXXXXX";
    REQUIRE(::mkdtemp(name));
    path = name;
  }
  ~TemporaryDirectory() {
    for (const char* name : {"/c", "/c.bak", "/c.lock", "/.c.new", "/.c.bak.new"}) ::unlink((path + name).c_str());
    ::rmdir(path.c_str());
  }
};

}  // namespace

TEST_CASE("asconfigurator: an item is a command and names with values") {
  const auto server = asconfigurator::parse_item(
      "set_server_data;rproxy_enabled,true;rproxy_log_directory, /a,b\\;c\\d ;proxy_enabled,AS_NULL");
  REQUIRE(server.size() == 3);
  CHECK(server[0].section == config::schema::Path{"server"});
  CHECK(server[0].account.empty());
  CHECK(server[0].item.name == "rproxy_enabled");
  CHECK(server[0].value == "true");
  CHECK(server[1].value == "/a,b;c\\d");
  CHECK_FALSE(server[2].value);
  CHECK(asconfigurator::parse_item("set_server_data;rproxy_rules_rule_source_port_filtering,true")[0].item.name ==
        "rproxy_rules_rule_src_port_filtering");

  const auto user = asconfigurator::parse_item(
      "set_user_data;user_name,faspex;authorization_transfer_in_value,token;token_encryption_key,a\\\\;b\\");
  CHECK(user.size() == 2);  // \\; is a backslash and a semicolon
  CHECK(user[0].account == "faspex");
  CHECK(user[0].section.back() == "user");
  CHECK(user[0].item.name == "authorization_transfer_in_value");
  CHECK(user[1].account == "faspex");
  CHECK(user[1].value == "a\\;b\\");
  CHECK(asconfigurator::parse_item("set_group_data;absolute,/x;group_name,a b")[0].account == "a b");
  for (const char* item : {"user;user_name,a b;absolute,/x", " user ; user_name , a b ; absolute , /x ; "}) {
    const auto same = asconfigurator::parse_item(item);
    REQUIRE(same.size() == 1);
    CHECK(same[0].account == "a b");
    CHECK(same[0].value == "/x");
    CHECK(same[0].section.back() == "user");
  }
  CHECK(asconfigurator::parse_item("server;http_port,1")[0].section == config::schema::Path{"server"});
  CHECK(asconfigurator::parse_item("node;absolute,/x")[0].section == config::schema::Path{"default"});
  CHECK(asconfigurator::parse_item("set_node_data;absolute,/x")[0].section == config::schema::Path{"default"});
}

TEST_CASE("asconfigurator: what is wrong with an item is said") {
  const std::pair<const char*, const char*> cases[] = {
      {"", "'' is not a command; there are set_server_data, set_node_data, set_user_data and set_group_data"},
      {"set_server", "'set_server' is not a command"},
      {"set_server_data_;http_port,1", "'set_server_data_' is not a command"},
      {"servers;http_port,1", "'servers' is not a command"},
      {"set_server_data", "set_server_data has nothing to set"},
      {"set_server_data;", "set_server_data has nothing to set"},
      {"set_server_data;http_port,1;;", "'' lacks a value"},
      {"set_server_data;http_port", "'http_port' lacks a value"},
      {"set_server_data;http_port,", "http_port has no value; AS_NULL resets"},
      {"set_server_data;http_port, \t", "control characters"},
      {"set_server_data;http_port,  ", "http_port has no value"},
      {"set_server_data;http_port,as_null", "http_port: 'as_null' is not valid; expected a number from 1 to 65535"},
      {"set_server_data;http_port,1\n", "control characters"},
      {"set_server_data;cert_file,/\x7F", "control characters"},
      {"set_server_data;cert_file,/\xE4", "not UTF-8"},
      {"set_server_data;cert_file,/\xC0\xAF", "not UTF-8"},
      {"set_server_data;cert_file,/\xED\xA0\x80", "not UTF-8"},
      {"set_server_data;cert_file,/\xEF\xBF\xBF", "not UTF-8"},
      {"set_server_data;cert_file,relative", "cert_file: 'relative' is not valid; expected an absolute path"},
      {"set_server_data;rproxy_rules_rule_users,a:b", "expected names separated by commas"},
      {"set_server_data;http_prt,1",
       "'http_prt' is not a name of set_server_data; did you mean http_port or https_port?"},
      {"set_server_data;log_level,1", "did you mean rproxy_log_level?"},
      {"set_server_data;rproxy_rule_1_host,h", "did you mean rproxy_rules_rule_host?"},
      {"set_server_data;rproxy_rules_rule,h", "asuserdata -+ lists the names"},
      {"set_server_data;xyzzyxyzzyxyzzy,1", "'xyzzyxyzzyxyzzy' is not a name of set_server_data (asuserdata -+"},
      {"set_server_data;absolute,/x",
       "absolute is not for set_server_data but for set_node_data, set_user_data and set_group_data"},
      {"set_server_data;user_name,x", "'user_name' is not a name"},
      {"set_node_data;http_port,1", "http_port is not for set_node_data but for set_server_data"},
      {"set_user_data;absolute,/x", "set_user_data needs user_name,NAME"},
      {"set_user_data;user_name,", "user_name has no value"},
      {"set_user_data;user_name,AS_NULL;absolute,/x", "is not a name"},
      {"set_user_data;user_name,a;user_name,b;absolute,/x", "user_name is given twice"},
      {"set_user_data;user_name,a", "set_user_data has nothing to set"},
      {"set_user_data;user_name,a;name,b", "'name' is not a name of set_user_data"},
      {"set_user_data;group_name,a;absolute,/x", "'group_name' is not a name"},
  };
  for (const auto& each : cases) {
    const auto& item = each.first;
    const auto& expected = each.second;
    CAPTURE(item);
    const std::string got = refusal(item);
    CAPTURE(got);
    CHECK(got.find(expected) != got.npos);
    CHECK_FALSE(got.starts_with("exit"));
  }
  CHECK(refusal("set_node_data;token_encryption_key,hunter2\xFF").find("hunter2") == std::string::npos);
}

TEST_CASE("asconfigurator: a value replaces what its element held, and nothing else") {
  const std::pair<std::string, std::string> cases[] = {
      {"<http_port>1</http_port>", "<http_port>80</http_port>"},
      {"<http_port> 1\n </http_port> <!-- 1 -->", "<http_port>80</http_port> <!-- 1 -->"},
      {"<http_port ><!-- one -->1</http_port\n>", "<http_port >80</http_port\n>"},
      {"<http_port><![CDATA[1]]></http_port>", "<http_port>80</http_port>"},
      {"<http_port>&#x31;</http_port>", "<http_port>80</http_port>"},
      {"<http_port/>", "<http_port>80</http_port>"},
      {"<http_port  \n/>", "<http_port>80</http_port>"},
      {"<http_port a='/' />", "<http_port a='/'>80</http_port>"},
      {"<http_port></http_port>", "<http_port>80</http_port>"},
      {"<http_port> &#56;0<!-- it is --></http_port>", "<http_port> &#56;0<!-- it is --></http_port>"},  // so already
  };
  for (const auto& each : cases) {
    const auto& before = each.first;
    const auto& after = each.second;
    CAPTURE(before);
    const std::string around = "<!-- <http_port>1</http_port> -->";
    CHECK(edit(server(around + before + around), "set_server_data;http_port,80") == server(around + after + around));
  }
}

TEST_CASE("asconfigurator: a missing element is put where it belongs, as its siblings stand") {
  const std::pair<std::string, std::string> cases[] = {
      {"<CONF/>", "<CONF>\n  <server>\n    <http_port>80</http_port>\n  </server>\n</CONF>"},
      {"<CONF a='b' />\r\n",
       "<CONF a='b'>\r\n  <server>\r\n    <http_port>80</http_port>\r\n  </server>\r\n</CONF>\r\n"},
      {"\xEF\xBB\xBF<CONF/>", "\xEF\xBB\xBF<CONF>\n  <server>\n    <http_port>80</http_port>\n  </server>\n</CONF>"},
      {"<CONF></CONF>", "<CONF>\n  <server>\n    <http_port>80</http_port>\n  </server>\n</CONF>"},
      {"<CONF><server/></CONF>", "<CONF><server><http_port>80</http_port></server></CONF>"},
      {"<CONF><x/></CONF>", "<CONF><x/><server><http_port>80</http_port></server></CONF>"},
      {"<CONF>\n\t<x/>\n</CONF>", "<CONF>\n\t<x/>\n\t<server>\n\t\t<http_port>80</http_port>\n\t</server>\n</CONF>"},
      {"<CONF>\n<x>\n</x>\n</CONF>", "<CONF>\n<x>\n</x>\n<server>\n<http_port>80</http_port>\n</server>\n</CONF>"},
      {"<CONF>\n   <server>\n   </server>\n</CONF>",
       "<CONF>\n   <server>\n      <http_port>80</http_port>\n   </server>\n</CONF>"},
      {"<CONF>\n <server>\n     <x/>\n  <!-- y -->\n </server></CONF>",
       "<CONF>\n <server>\n     <x/>\n  <!-- y -->\n     <http_port>80</http_port>\n </server></CONF>"},
      {"<CONF>\n  <server><x/>\n  </server>\n</CONF>",
       "<CONF>\n  <server><x/>\n    <http_port>80</http_port>\n  </server>\n</CONF>"},
      {"<CONF>\n  <server><x/> </server>\n</CONF>",
       "<CONF>\n  <server><x/> <http_port>80</http_port></server>\n</CONF>"},
      {"<CONF>\n  <server>\n<!--\n --></server>\n</CONF>",
       "<CONF>\n  <server>\n<!--\n --><http_port>80</http_port></server>\n</CONF>"},
      {"<CONF>\n  <server\n    />\n</CONF>", "<CONF>\n  <server>\n    <http_port>80</http_port>\n  </server>\n</CONF>"},
  };
  for (const auto& each : cases) {
    const auto& before = each.first;
    const auto& after = each.second;
    CAPTURE(before);
    CHECK(edit(before, "set_server_data;http_port,80") == after);
  }
  CHECK(edit("<CONF>\n</CONF>", "set_user_data;user_name,a&b;read_allowed,true") ==
        "<CONF>\n  <aaa>\n    <realms>\n      <realm>\n        <users>\n          <user>\n            "
        "<name>a&amp;b</name>\n"
        "            <file_system>\n              <access>\n                <paths>\n                  <path>\n"
        "                    <read_allowed>true</read_allowed>\n                  </path>\n                </paths>\n"
        "              </access>\n            </file_system>\n          </user>\n        </users>\n      </realm>\n    "
        "</realms>\n  </aaa>\n</CONF>");
}

TEST_CASE("asconfigurator: AS_NULL takes the element away, and its line if it has one") {
  const std::pair<std::string, std::string> cases[] = {
      {"    <x/>\n    <http_port>1</http_port>\n    <y/>\n", "    <x/>\n    <y/>\n"},
      {"    <http_port>\n      1\n    </http_port>  \r\n", ""},
      {"    <http_port>1</http_port>  <!-- c -->\n", "      <!-- c -->\n"},
      {"    <x/><http_port>1</http_port>\n", "    <x/>\n"},
      {"    <http_port/>\n", ""},
      {"    <!-- <http_port>1</http_port> -->\n", "    <!-- <http_port>1</http_port> -->\n"},
      {"", ""},
  };
  for (const auto& each : cases) {
    const auto& before = each.first;
    const auto& after = each.second;
    CAPTURE(before);
    CHECK(edit(server(before), "set_server_data;http_port,AS_NULL") == server(after));
  }
  CHECK(edit("<CONF><server><http_port>1</http_port></server></CONF>", "set_server_data;http_port,AS_NULL") ==
        "<CONF><server></server></CONF>");
  CHECK(edit("<CONF/>", "set_user_data;user_name,a;absolute,AS_NULL") == "<CONF/>");
  // Of accounts that are there twice nothing comes to light that was hidden.
  const std::string twice = "<CONF><aaa><realms><realm><users>"
                            "<user><name>a</name><file_system><access><paths><path><absolute>/1</absolute></path></"
                            "paths></access></file_system></user>"
                            "<user><name>b</name><file_system><access><paths><path><absolute>/2</absolute></path></"
                            "paths></access></file_system></user>"
                            "<user><name>a</name><file_system><access><paths><path><absolute>/3</absolute></path></"
                            "paths></access></file_system></user>"
                            "</users></realm></realms></aaa></CONF>";
  const auto left = flat(edit(twice, "set_user_data;user_name,a;absolute,AS_NULL"));
  CHECK(std::count_if(left.begin(), left.end(),
                      [](const std::string& line) { return line.find("absolute") != line.npos; }) == 1);
}

TEST_CASE("asconfigurator: of several rules there is none to choose") {
  const auto rules = [](const std::string& inside) {
    return server("<rproxy><rules>\n" + inside + "\n</rules></rproxy>\n");
  };
  for (const std::string value : {"h", "AS_NULL"}) {
    const auto said = complaint(tool::config, [&] {
      edit(rules("<rule/>\n<rule/>\n\n<rule/>"), "set_server_data;rproxy_rules_rule_host," + value);
    });
    CHECK(said == "aspera.conf: rproxy_rules_rule_host: there are 3 <rule>, on lines 4, 5 and 7; edit the file");
  }
  CHECK(edit(rules("<rule host_ip='192.0.2.1'/>"), "set_server_data;rproxy_rules_rule_host,h") ==
        rules("<rule host_ip='192.0.2.1'>\n  <host>h</host>\n</rule>"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "<rule/>";
  CHECK(complaint(tool::config, [&] {
          edit(rules(many), "set_server_data;rproxy_rules_rule_host,h");
        }).ends_with("on lines 4, 4, 4, 4, 4, 4, 4, 4, 4, 4 and so on; edit the file"));
  // The other values can be set all the same.
  CHECK(edit(rules("<rule/><rule/>"), "set_server_data;http_port,80").find("<http_port>80<") != std::string::npos);
  const std::string paths =
      "<CONF><default><file_system><access><paths><path/>\n<path/></paths></access></file_system></default></CONF>";
  CHECK(complaint(tool::config, [&] { edit(paths, "set_node_data;absolute,/x"); }) ==
        "aspera.conf: absolute: there are 2 <path>, on lines 1 and 2; edit the file");
}

TEST_CASE("asconfigurator: characters are written as the file's encoding can hold them") {
  using asconfigurator::Charset;
  CHECK(asconfigurator::escaped("a&<>\"'\xC3\xA4", Charset::utf8) == "a&amp;&lt;&gt;\"'\xC3\xA4");
  CHECK(asconfigurator::escaped("&\xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x91z", Charset::references) ==
        "&amp;&#228;&#8364;&#128273;z");
  const std::pair<const char*, Charset> cases[] = {
      {"<CONF/>", Charset::utf8},
      {"<?xml version='1.0'?><CONF encoding='x'/>", Charset::utf8},
      {"<?xml version='1.0' encoding='Utf-8'?><CONF/>", Charset::utf8},
      {"\xEF\xBB\xBF<?xml version='1.0' encoding=\"UTF-8\"?><CONF/>", Charset::utf8},
      {"<?xml version='1.0' encoding = 'ISO-8859-1'?><CONF/>", Charset::references},
      {"<?xml version='1.0' encoding='US-ASCII'?><CONF/>", Charset::references},
  };
  for (const auto& each : cases) {
    const auto& text = each.first;
    const auto& charset = each.second;
    CAPTURE(text);
    CHECK(asconfigurator::charset_of(text) == charset);
  }
}

TEST_CASE("asconfigurator: every value can be set in every document, read, and taken back") {
  for (const auto& each : kDocuments) {
    const auto& name = each.first;
    const auto& document = each.second;
    CAPTURE(name);
    REQUIRE_NOTHROW(config::parse(document, name));
    for (const Change& change : all_changes()) {
      // A cluster that is on needs its nodes, which are no values.
      if (change.item.name == "cluster_enabled") continue;
      const std::string wanted = change.value.value();
      CAPTURE(change.item.name);
      CAPTURE(change.section.back());
      const std::string old = value_in(document, change);
      REQUIRE(config::schema::accepts(change.item.option(), wanted));

      const auto set = asconfigurator::apply(document, change, name);
      CAPTURE(set.text);
      REQUIRE_NOTHROW(config::parse(set.text, name));
      CHECK(value_in(set.text, change) == wanted);
      CHECK(set.before.value_or("(none)") == old);
      CHECK(flat_without(set.text, change) == flat_without(document, change));
      // An element that was there loses its body, an <a/> its slash.
      CHECK(replaced_bytes(document, set.text) <= (old == "(none)" ? 10 : 40));

      CHECK(asconfigurator::apply(set.text, change, name).text == set.text);

      Change reset = change;
      reset.value.reset();
      const std::string back = asconfigurator::apply(set.text, reset, name).text;
      REQUIRE_NOTHROW(config::parse(back, name));
      CHECK(value_in(back, change) == "(none)");
      CHECK(flat_without(back, change) == flat_without(document, change));
    }
  }
}

TEST_CASE("config/file: nobody's change is lost") {
  const TemporaryDirectory directory;
  const std::string path = directory.path + "/c";
  {
    config::file::Locked file(path, "new");
    CHECK(file.is_new());
    CHECK(file.text() == "new");
    CHECK(::access((path + ".lock").c_str(), F_OK) == 0);
    file.replace("one");
  }
  CHECK(slurp(path) == "one");
  CHECK(::access((path + ".bak").c_str(), F_OK) != 0);
  CHECK(::access((path + ".lock").c_str(), F_OK) != 0);
  {
    config::file::Locked file(path, "new");
    CHECK_FALSE(file.is_new());
    CHECK(file.text() == "one");
    std::ofstream(path) << "by somebody else";
    CHECK(complaint(tool::temporary, [&] { file.replace("two"); }) ==
          path + ": was changed by somebody else meanwhile; try again");
  }
  CHECK(slurp(path) == "by somebody else");
  {
    config::file::Locked file(path, "new");
    ::unlink(path.c_str());
    CHECK(complaint(tool::temporary, [&] { file.replace("two"); }).ends_with("try again"));
  }
  {
    config::file::Locked file(path, "new");
    std::ofstream(path) << "made by somebody else";
    CHECK(complaint(tool::temporary, [&] { file.replace("two"); }).ends_with("try again"));
  }
  CHECK(slurp(path) == "made by somebody else");
  for (const char* left : {"/.c.new", "/.c.bak.new", "/c.bak", "/c.lock"}) {
    CAPTURE(left);
    CHECK(::access((directory.path + left).c_str(), F_OK) != 0);
  }
}

TEST_CASE("config/file: the lock is held by one at a time, also while it is taken away") {
  const TemporaryDirectory directory;
  std::atomic<int> inside = 0;
  std::atomic<int> together = 0;
  const auto hold = [&] {
    for (int i = 0; i < 100; ++i) {
      const config::file::Locked file(directory.path + "/c", "");
      if (++inside > 1) ++together;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      --inside;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(hold);
  for (auto& thread : threads) thread.join();
  CHECK(together == 0);
}

TEST_CASE("config/file: what is not a file of reasonable size is refused") {
  const TemporaryDirectory directory;
  const std::string path = directory.path + "/c";
  const auto said = [&](const std::string& name) {
    const std::string why = complaint(tool::config, [&] { config::file::Locked file(name, ""); });
    CHECK(::access((path + ".lock").c_str(), F_OK) != 0);
    return why;
  };
  CHECK(said(directory.path) == directory.path + ": not a regular file");
  CHECK(said("/") == "/: not a regular file");
  CHECK(said(directory.path + "/none/c").ends_with("No such file or directory"));
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(said(path) == path + ": not a regular file");
  ::unlink(path.c_str());
  REQUIRE(::symlink("nowhere", path.c_str()) == 0);
  CHECK(said(path).ends_with("No such file or directory"));
  ::unlink(path.c_str());
  std::ofstream(path) << "x";
  REQUIRE(::truncate(path.c_str(), config::xml::kMaxBytes + 1) == 0);
  CHECK(said(path).find("larger than 4194304 bytes") != std::string::npos);
  REQUIRE(::truncate(path.c_str(), config::xml::kMaxBytes) == 0);
  CHECK(said(path) == "(nothing)");
}
