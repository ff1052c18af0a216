# Reads `customer;item;quantity;price;tax percent` and prints invoices. All amounts are whole cents.
# This file is placed between single quotes by build.sh, so it has none of its own.

BEGIN { FS = ";" }

{ sub(/\r$/, "") }
/^[ \t]*(#|$)/ { next }

NF != 5 { refuse("expected 5 fields divided by `;`, found " NF) }
{ for (i = 1; i <= 5; i++) $i = trimmed($i) }
$1 == "" || $2 == "" { refuse("customer and item must not be empty") }
$3 !~ /^[0-9]+$/ || $3 + 0 == 0 || length($3) > 6 { refuse("the quantity `" $3 "` is not a whole number from 1 to 999999") }
$4 !~ /^[0-9]+(\.[0-9][0-9]?)?$/ || length($4) > 9 { refuse("the price `" $4 "` is not an amount such as 12.50") }
$5 !~ /^[0-9]+$/ || $5 + 0 > 100 { refuse("the tax `" $5 "` is not a whole percentage") }

{
    price = cents($4)
    net = $3 * price
    tax = int((net * $5 + 50) / 100)
    if (!($1 in net_of)) {
        customers[++count] = $1
    }
    net_of[$1] += net
    tax_of[$1] += tax
    lines_of[$1] = lines_of[$1] sprintf("  %-22s %5d x %10s = %12s   tax %2d%% %12s\n", \
        $2, $3, amount(price), amount(net), $5, amount(tax))
    sum += net + tax
}

END {
    if (refused) {
        exit 1
    }
    if (count == 0) {
        complain("no items")
        exit 1
    }
    for (i = 1; i <= count; i++) {
        if (totals) {
            print_totals(customers[i])
        } else {
            print_invoice(customers[i])
        }
    }
    if (!totals) {
        printf "%d %s, to pay %s %s\n", count, (count == 1 ? "invoice" : "invoices"), amount(sum), currency
    }
}

function print_invoice(customer,    net, tax) {
    net = net_of[customer]
    tax = tax_of[customer]
    printf "%s\n%s", customer, lines_of[customer]
    printf "  net %s %s, tax %s %s, to pay %s %s\n\n", \
        amount(net), currency, amount(tax), currency, amount(net + tax), currency
}

function print_totals(customer,    net, tax) {
    net = net_of[customer]
    tax = tax_of[customer]
    printf "%s;%s;%s;%s\n", customer, amount(net), amount(tax), amount(net + tax)
}

# "12.5" becomes 1250, by its digits and not by a multiplication of fractions.
function cents(text,    parts, n) {
    n = split(text, parts, ".")
    return parts[1] * 100 + (n == 2 ? substr(parts[2] "0", 1, 2) : 0)
}

function amount(value,    rest) {
    rest = value % 100
    return sprintf("%.0f.%02d", (value - rest) / 100, rest)
}

function trimmed(text) {
    gsub(/^[ \t]+|[ \t]+$/, "", text)
    return text
}

function refuse(why) {
    complain("line " NR ": " why)
    refused = 1
    exit 1
}

function complain(message) {
    print "invoice: " message | "cat >&2"
    close("cat >&2")
}
