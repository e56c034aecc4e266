/* The notifier's small parts, each by itself. */
#include "support/test.h"

#include "consumers/plugins/notifier/clean.h"
#include "consumers/plugins/notifier/mailbox.h"
#include "consumers/plugins/notifier/mime.h"
#include "consumers/plugins/notifier/pretty.h"
#include "consumers/plugins/notifier/reply.h"
#include "consumers/plugins/notifier/transcript.h"

#include "common/cleanup.h"

#include <stdlib.h>

static void mailboxes(void **state)
{
    static const char *const good[] = {"a@b", "first.last+tag@mail.example.com", "x@xn--exmple-cua.org",
        "!#$%&'*+-/=?^_`{|}~@example.org", "a@1.2.3.example"};
    static const char *const bad[] = {"", "@", "a", "a@", "@b", "a@b\n", "a\r\n@b", "a@b>", "<a@b", "a b@c",
        "a@b c", ".a@b", "a.@b", "a..b@c", "a@.b", "a@b.", "a@-b", "a@b-", "\"a\"@b", "a@[1.2.3.4]", "a@b_c",
        "a@b\x7f", "\xc3\xa4@b", "a\t@b"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(weir_mailbox_check(good[i], NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct weir_error err;
        assert_int_equal(weir_mailbox_check(bad[i], &err), WEIR_E_CONFIG);
        for (const char *at = err.text; *at != '\0'; at++)
            assert_in_range(*at, ' ', '~');
    }
}

static void mailbox_lengths(void **state)
{
    char address[400];
    (void)state;
    snprintf(address, sizeof(address), "%064d@%063d.%063d.%061d", 1, 1, 1, 1);
    assert_int_equal(strlen(address), 254);
    assert_int_equal(weir_mailbox_check(address, NULL), 0);
    snprintf(address, sizeof(address), "%064d@%063d.%063d.%062d", 1, 1, 1, 1);
    assert_int_equal(weir_mailbox_check(address, NULL), WEIR_E_CONFIG);
    snprintf(address, sizeof(address), "%065d@b", 1);
    assert_int_equal(weir_mailbox_check(address, NULL), WEIR_E_CONFIG);
    snprintf(address, sizeof(address), "a@%064d", 1);
    assert_int_equal(weir_mailbox_check(address, NULL), WEIR_E_CONFIG);
}

static void quoted_printable(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {{"", ""}, {"a", "a\r\n"}, {"a\n", "a\r\n"}, {"a\r\nb\n\n", "a\r\nb\r\n\r\n"},
        {"a\rb", "a=0Db\r\n"}, {"trailing \t", "trailing =09\r\n"}, {" ", "=20\r\n"},
        {".\n.a\na.", "=2E\r\n=2Ea\r\na.\r\n"}, {"From x\nXFrom x", "=46rom x\r\nXFrom x\r\n"},
        {"a=b", "a=3Db\r\n"}, {"\xe2\x82\xac", "=E2=82=AC\r\n"}, {"\x01\x7f", "=01=7F\r\n"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
        weir_mime_quoted_printable(&out, weir_bytes_str(cases[i].text));
        assert_string_equal(out.data != NULL ? out.data : "", cases[i].wanted);
    }
}

/* A soft break never leaves a dot at the beginning of a line, which is where SMTP looks for one. */
static void soft_break_before_a_dot(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    char text[400];
    (void)state;
    memset(text, '.', sizeof(text));
    weir_mime_quoted_printable(&out, weir_bytes(text, sizeof(text)));
    assert_null(strstr(out.data, "\r\n."));
    assert_int_not_equal(out.data[0], '.');
}

static void base64_in_lines_of_76(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {{"", ""}, {"a", "YQ0K\r\n"}, {"a\r\nb\n", "YQ0KYg0K\r\n"}, {"\n", "DQo=\r\n"},
        {"0123456789012345678901234567890123456789012345678901234567\n",
            "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\nNw0K\r\n"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
        weir_mime_base64(&out, weir_bytes_str(cases[i].text));
        assert_string_equal(out.data != NULL ? out.data : "", cases[i].wanted);
    }
}

/* base64 where it has half the bytes or less. */
static void the_shorter_encoding_is_taken(void **state)
{
    char text[3001] = "";
    (void)state;
    for (int foreign = 0; foreign <= 1000; foreign += 100) {
        WEIR_CLEANUP(buffer) struct weir_buffer out = {0}, quoted = {0}, base64 = {0};
        for (int i = 0; i < 1000; i++)
            memcpy(text + 3 * i, i < foreign ? "\xe3\x81\x82" : "abc", 3);
        weir_mime_quoted_printable(&quoted, weir_bytes(text, 3000));
        weir_mime_base64(&base64, weir_bytes(text, 3000));
        bool is_base64 = strcmp(weir_mime_encode(&out, weir_bytes(text, 3000)), "base64") == 0;
        assert_int_equal(is_base64, foreign >= 900);
        assert_int_equal(is_base64, base64.len * 2 <= quoted.len);
        assert_string_equal(out.data, is_base64 ? base64.data : quoted.data);
    }
}

static void names_beside_addresses(void **state)
{
    static const struct {
        const char *display, *wanted;
    } cases[] = {{NULL, "From: <a@b>\r\n"}, {"Order Service 2", "From: Order Service 2\r\n <a@b>\r\n"},
        {"x <y@z>,", "From: =?UTF-8?B?eCA8eUB6Piw=?=\r\n <a@b>\r\n"},
        {"\xc3\xa4", "From: =?UTF-8?B?w6Q=?=\r\n <a@b>\r\n"}};
    WEIR_CLEANUP(buffer) struct weir_buffer refused = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
        assert_int_equal(weir_mime_address(&out, "From", cases[i].display, "a@b", NULL), 0);
        assert_string_equal(out.data, cases[i].wanted);
    }
    assert_int_equal(weir_mime_address(&refused, "From", "a\r\nBcc: x", "a@b", NULL), WEIR_E_INVALID);
    assert_int_equal(refused.len, 0);
}

static void one_line_of_many(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {{"a\n", "a"}, {"\r\na\r\n\r\nBcc: x\n", "a Bcc: x"}, {"a  b ", "a  b "}, {"\x01\x7f", ""},
        {"", ""}, {"0123456789\xc3\xa4", "0123456789"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
        weir_buffer_append_str(&text, cases[i].text);
        weir_mime_one_line(&text, 11);
        assert_string_equal(text.data != NULL ? text.data : "", cases[i].wanted);
    }
}

static void international_domains(void **state)
{
    static const struct {
        const char *address, *wanted;
    } cases[] = {{"a@b", "a@b"}, {"a@ex\xc3\xa4mple.org", "a@xn--exmple-cua.org"},
        {"a@xn--exmple-cua.org", "a@xn--exmple-cua.org"}, {"\xc3\xa4@ex\xc3\xa4mple.org", NULL},
        {"a@\xe2\x80\xae"
         "b",
            NULL},
        {"a@b\xc3", NULL}, {"a@\xef\xbc\xa0", NULL}, {"a@\xe3\x80\x82", NULL}, {"", NULL},
        {"a\r\n@ex\xc3\xa4mple.org", NULL}};
    char out[WEIR_MAILBOX_BYTES + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int code = weir_mailbox_ascii(weir_bytes_str(cases[i].address), out, NULL);
        assert_int_equal(code, cases[i].wanted != NULL ? 0 : WEIR_E_CONFIG);
        if (code == 0)
            assert_string_equal(out, cases[i].wanted);
    }
    assert_int_equal(weir_mailbox_ascii(weir_bytes("a@b\0c", 5), out, NULL), WEIR_E_CONFIG);
}

static void header_refuses_controls(void **state)
{
    static const char *const hostile[] = {"a\r\nBcc: x", "a\n", "\r", "a\tb", "\x01", "\x7f"};
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct weir_buffer out = {0};
        assert_int_equal(weir_mime_header(&out, "Subject", hostile[i], NULL), WEIR_E_INVALID);
        assert_int_equal(out.len, 0);
    }
}

static void pretty_keeps_texts(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    (void)state;
    assert_true(weir_pretty_append(
        &out, weir_bytes_str(" {\"a\\\"{\":1.10 ,\"b\":[ ],\"c\":[1e5,\n{\"d\":null}]} "), 1000));
    assert_string_equal(out.data, "{\n  \"a\\\"{\": 1.10,\n  \"b\": [],\n  \"c\": [\n    1e5,\n    {\n      "
                                  "\"d\": null\n    }\n  ]\n}");
}

static void lines_are_cleaned(void **state)
{
    char out[16];
    (void)state;
    weir_clean_line("  a\r\n\tb \x1b[0m\xff ", out, sizeof(out));
    assert_string_equal(out, "a b ?[0m?");
    weir_clean_line("0123456789abcdefghij", out, sizeof(out));
    assert_int_equal(strlen(out), 14);
    weir_clean_line(NULL, out, sizeof(out));
    assert_string_equal(out, "");
}

static void replies_are_judged(void **state)
{
    static const struct {
        struct weir_replies replies;
        enum weir_mail_result result;
        int code;
    } cases[] = {
        {{0, 0, 0, false, false}, WEIR_MAIL_UNTRIED, 0},
        {{250, 250, 250, true, false}, WEIR_MAIL_SENT, 250},
        {{250, 251, 259, true, false}, WEIR_MAIL_SENT, 259},
        {{250, 250, 250, false, false}, WEIR_MAIL_BLOCKED, 0},
        {{250, 250, 354, false, false}, WEIR_MAIL_BLOCKED, 0},
        {{250, 250, 299, true, false}, WEIR_MAIL_BLOCKED, 0},
        {{250, 250, 0, false, false}, WEIR_MAIL_BLOCKED, 0},
        {{250, 0, 0, false, false}, WEIR_MAIL_BLOCKED, 0},
        {{250, 421, 0, false, false}, WEIR_MAIL_BLOCKED, 421},
        {{250, 250, 421, false, false}, WEIR_MAIL_BLOCKED, 421},
        {{250, 452, 503, true, false}, WEIR_MAIL_BLOCKED, 452},
        {{250, 452, 503, true, true}, WEIR_MAIL_TEMPORARY, 452},
        {{250, 250, 452, false, false}, WEIR_MAIL_BLOCKED, 452},
        {{250, 550, 554, true, false}, WEIR_MAIL_PERMANENT, 550},
        /* libesmtp calls the recipient complete here, although it was refused for now. */
        {{250, 450, 503, true, false}, WEIR_MAIL_TEMPORARY, 450},
        {{250, 250, 554, true, false}, WEIR_MAIL_PERMANENT, 554},
        {{250, 250, 451, false, false}, WEIR_MAIL_TEMPORARY, 451},
        {{250, 530, 0, true, false}, WEIR_MAIL_BLOCKED, 530},
        {{550, 0, 0, false, false}, WEIR_MAIL_BLOCKED, 550},
        {{451, 0, 0, false, false}, WEIR_MAIL_BLOCKED, 451},
        {{250, 250, 535, true, false}, WEIR_MAIL_BLOCKED, 535},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int code = -1;
        assert_int_equal(weir_replies_judge(&cases[i].replies, &code), cases[i].result);
        assert_int_equal(code, cases[i].code);
    }
}

/* Gives the server's bytes in pieces of `step`; true if the session may go on. What libesmtp would read is in
 * `bytes`. */
static bool take_in_pieces(struct weir_transcript *transcript, char *bytes, size_t step)
{
    size_t len = strlen(bytes);
    for (size_t at = 0; at < len; at += step)
        if (!weir_transcript_take(transcript, bytes + at, len - at < step ? len - at : step))
            return false;
    return true;
}

static void transcript_hides_chunking(void **state)
{
    (void)state;
    for (size_t step = 1; step < 80; step++) {
        struct weir_transcript transcript = {0};
        char greeting[] = "220 CHUNKING\r\n";
        char hello[] = "250-mail\r\n250-CHUNKING\r\n250-XCHUNKING\r\n250-SIZE 1\r\n250 chunking\r\n";
        assert_true(take_in_pieces(&transcript, greeting, step));
        assert_string_equal(greeting, "220 CHUNKING\r\n");
        weir_transcript_give(&transcript, "EHLO x\r\n", 8);
        assert_true(take_in_pieces(&transcript, hello, step));
        assert_string_equal(
            hello, "250-mail\r\n250-CHUNKINX\r\n250-XCHUNKING\r\n250-SIZE 1\r\n250 chunkinX\r\n");
    }
}

static void transcript_sees_injection(void **state)
{
    struct weir_transcript clean = {0}, dirty = {0}, refused = {0};
    char reply[] = "220 go\r\n", injected[] = "220-a\r\n220 go\r\n2", no[] = "454 no\r\n2";
    (void)state;
    weir_transcript_give(&clean, "STARTTLS\r\n", 10);
    assert_true(take_in_pieces(&clean, reply, 100));
    weir_transcript_give(&dirty, "STARTTLS\r\n", 10);
    assert_false(take_in_pieces(&dirty, injected, 100));
    assert_true(dirty.injected);
    weir_transcript_give(&refused, "STARTTLS\r\n", 10);
    assert_true(take_in_pieces(&refused, no, 100));
    assert_int_equal(refused.refused, 454);
}

static void transcript_knows_authentication(void **state)
{
    struct weir_transcript transcript = {0};
    char no[] = "535-5.7.8 no\r\n535 5.7.8 never\r\n", yes[] = "235 yes\r\n", hello[] = "250 235\r\n";
    (void)state;
    weir_transcript_give(&transcript, "EHLO x\r\n", 8);
    assert_true(take_in_pieces(&transcript, hello, 3));
    assert_false(transcript.authenticated);
    weir_transcript_give(&transcript, "AUTH PLAIN AG1haWw=\r\n", 21);
    assert_true(take_in_pieces(&transcript, no, 3));
    assert_int_equal(transcript.refused, 535);
    assert_string_equal(transcript.reply, "535 5.7.8 never");
    weir_transcript_give(&transcript, "AUTH LOGIN\r\n", 12);
    weir_transcript_give(&transcript, "bWFpbA==\r\n", 10);
    assert_true(take_in_pieces(&transcript, yes, 1));
    assert_true(transcript.authenticated);
    assert_int_equal(transcript.refused, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(mailboxes),
    cmocka_unit_test(mailbox_lengths),
    cmocka_unit_test(quoted_printable),
    cmocka_unit_test(soft_break_before_a_dot),
    cmocka_unit_test(base64_in_lines_of_76),
    cmocka_unit_test(the_shorter_encoding_is_taken),
    cmocka_unit_test(names_beside_addresses),
    cmocka_unit_test(one_line_of_many),
    cmocka_unit_test(international_domains),
    cmocka_unit_test(header_refuses_controls),
    cmocka_unit_test(pretty_keeps_texts),
    cmocka_unit_test(lines_are_cleaned),
    cmocka_unit_test(replies_are_judged),
    cmocka_unit_test(transcript_hides_chunking),
    cmocka_unit_test(transcript_sees_injection),
    cmocka_unit_test(transcript_knows_authentication),
};

WEIR_TEST_MAIN(tests)
