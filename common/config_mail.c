/* What the settings of [mail] come to, and whether they can. Called by config.c when a file was
 * read, by the monitor when it starts sallyport-notify, and by `sallyport check`. Looks at texts
 * alone: whether a program or a name exists may change while a server runs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/config_table.h"
#include "common/mailing.h"

#define HTTPS_PORT 443

const char *config_mail_trouble(const struct config *config, enum setting_place *place)
{
    struct command_line command;
    const char *why = command_line_split(slice_text(config->mail_sendmail), &command);

    *place = PLACE_mail_sendmail;
    if (why != NULL)
        return why;
    *place = PLACE_mail_from;
    if (config->mail_from[0] != '\0' && !mail_address_is_good(slice_text(config->mail_from)))
        return "is no address that mails can be sent from: name@domain, in ASCII";
    *place = PLACE_mail_base;
    return config->mail_base[0] != '\0' ? mail_base_trouble(slice_text(config->mail_base)) : NULL;
}

/* This machine's name, or localhost where that is none. */
static void machine_name(char *name, size_t size)
{
    char address[512];

    if (gethostname(name, size) < 0 || memchr(name, '\0', size) == NULL)
        name[0] = '\0';
    snprintf(address, sizeof(address), "x@%s", name);
    if (!mail_address_is_good(slice_text(address)))
        snprintf(name, size, "localhost");
}

void config_mail_from(const struct config *config, char from[CONFIG_MAIL_FROM])
{
    char name[256];

    machine_name(name, sizeof(name));
    if (config->mail_from[0] != '\0')
        snprintf(from, CONFIG_MAIL_FROM, "%s", config->mail_from);
    else
        snprintf(from, CONFIG_MAIL_FROM, "sallyport@%.240s", name);
}

void config_mail_base(const struct config *config, char base[CONFIG_MAIL_BASE])
{
    const size_t first = strcspn(config->https_names, ",");
    char name[CONFIG_MAIL_BASE - 32];

    if (config->mail_base[0] != '\0') {
        snprintf(base, CONFIG_MAIL_BASE, "%s", config->mail_base);
        return;
    }
    if (first > 0)
        snprintf(name, sizeof(name), "%.*s", (int)first, config->https_names);
    else
        machine_name(name, sizeof(name));
    if (config->https_port == HTTPS_PORT)
        snprintf(base, CONFIG_MAIL_BASE, "https://%s", name);
    else
        snprintf(base, CONFIG_MAIL_BASE, "https://%s:%u", name, config->https_port);
}
