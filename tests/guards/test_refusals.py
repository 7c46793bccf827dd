"""Answers that decline to help are told from answers, in five languages; all of them written for this test."""

import json
import re
from pathlib import Path

import pytest

from llmops.guards.refusals import is_refusal

DECLINES = """
I'm sorry, but I can't help with that.
I’m sorry, but I can’t assist with that request.
Sorry, I can't help you with this.
I'm sorry. I can't help with that.
I cannot assist you with that, as it may be harmful.
Unfortunately, I am unable to help with this request.
I'm not able to answer that question.
I won't help with that.
I can't do that.
Sorry, but I can't.
As an AI, I cannot give an opinion on this.
As an AI language model, I don't have personal opinions on politics.
As a language model I am not able to browse your account.
As a virtual assistant, I can only help with orders and returns.
I must decline.
I have to respectfully decline to answer this.
I'm afraid I can't discuss that topic.
I'd rather not answer that.
I'm not comfortable sharing that.
That's not something I can help with.
This is a question that I'm not able to answer.
That is outside of what I can help with here.
I can't provide medical advice; please see a doctor.
I cannot give legal advice, but a lawyer can.
I can't share personal information about other customers.
It would not be appropriate for me to comment on that.
My guidelines do not allow me to talk about this.
I am not permitted to provide that kind of information.
Hello! I'm sorry, I cannot comply with this request.
Thank you for your question. Unfortunately I can't assist with that.
**I'm sorry, but I cannot help with that.**
I'm only able to help with questions about our shop.
We are unable to assist you with this here.
Es tut mir leid, aber dabei kann ich Ihnen nicht helfen.
Tut mir leid. Damit kann ich leider nicht weiterhelfen.
Das kann ich leider nicht beantworten.
Ich kann diese Frage nicht beantworten.
Als KI kann ich dazu keine Meinung haben.
Als Sprachmodell habe ich keinen Zugriff auf solche Daten.
Dazu darf ich keine Auskunft geben.
Ich kann Ihnen keine medizinischen Ratschläge geben.
Ich bin nicht in der Lage, Ihnen dabei zu helfen.
Diese Anfrage muss ich ablehnen.
Je suis désolé, mais je ne peux pas vous aider avec cela.
Désolée, je ne peux malheureusement pas répondre à cette question.
En tant qu'IA, je n'ai pas d'avis sur ce sujet.
En tant que modèle de langage, je ne peux pas le faire.
Je ne suis pas en mesure de répondre à cette demande.
Je ne peux pas fournir de conseils médicaux.
Je dois refuser cette demande.
Lo siento, pero no puedo ayudarte con eso.
Lo siento. No puedo responder a esa pregunta.
Como modelo de lenguaje, no tengo opiniones personales.
No puedo proporcionar asesoramiento legal.
Lamentablemente no puedo ayudarle con esta solicitud.
Debo rechazar esta petición.
Mi dispiace, ma non posso aiutarti con questo.
Mi dispiace. Non posso rispondere a questa domanda.
In quanto intelligenza artificiale, non ho opinioni personali.
Non sono in grado di aiutarla con questa richiesta.
Non posso fornire consigli medici.
Devo rifiutare questa richiesta.
"""

ANSWERS = """
I'm sorry to hear that, we will refund the full amount within five days.
I am sorry for the delay. Your parcel leaves our hall tomorrow.
Sorry, we cannot ship to Switzerland at the moment.
We cannot ship batteries by air, so this parcel goes by road.
Unfortunately we can't change an order once it is packed.
I'm afraid the tent is sold out until May.
I can help with that! Please send me your order number.
Of course I can help you with that.
I can't find an order under this number; could you check it?
I cannot see any payment yet, so the order waits.
I can't give you an exact date before the carrier has scanned the parcel.
No, the pot does not work on induction.
No. Return labels are free within the EU.
You cannot wash the down bag at 60 degrees; 30 is the limit.
We are unable to refund shipping, but the goods are refunded in full.
The voucher can't be paid out in cash.
It is not possible to combine two vouchers.
If you cannot help yourself, our store in Hamburg repairs it on the spot.
Please do not hesitate to ask if the manual doesn't help with that.
We don't offer express delivery outside Germany.
An assistant in the store will gladly measure your feet.
As a member, you do not pay for shipping.
As an alternative, take the larger tent; it does not cost more.
Our return policy does not allow worn shoes to come back.
It is not appropriate to store the stove with its cartridge attached.
I won't keep you waiting: the refund was sent this morning.
I must ask you for the order number first.
I have to check with the warehouse and will write to you today.
Only our warehouse can answer how many are left; I have asked them.
I'd rather recommend the synthetic bag for wet weather.
That's something I can help with: I have booked the pickup.
Yes, gift cards stay valid for three years.
Declined payments are usually tried again after a day.
Refused parcels come back to us and are refunded.
My apologies, the link was wrong; here is the right one.
I can't recommend the summer bag for January; take the down one.
I cannot change the address any more, as the parcel has left.
I am not able to find the invoice; was it sent to another address?
Hello! Your order ships tomorrow.
Thank you for your patience. We have found your parcel.
Personal data is deleted fourteen days after your request.
Medical devices are exempt from the return policy.
The AI in our search does not know your size; the size table does.
Wir können leider nicht in die Schweiz liefern.
Es tut mir leid, dass das Zelt beschädigt ankam; wir schicken ein neues.
Das kann ich gern für Sie ändern.
Ich kann Ihre Bestellung unter dieser Nummer nicht finden.
Leider kann ich die Adresse nicht mehr ändern, das Paket ist unterwegs.
Nein, der Topf ist nicht für Induktion geeignet.
Als Mitglied zahlen Sie keinen Versand.
Wir können Gutscheine nicht auszahlen.
Ich helfe Ihnen gern weiter, wenn die Anleitung nicht hilft.
Nous ne livrons malheureusement pas en Suisse.
Je suis désolé pour le retard, votre colis part demain.
Je ne trouve pas de commande sous ce numéro.
Vous ne pouvez pas combiner deux bons.
En tant que membre, vous ne payez pas la livraison.
No enviamos a Canarias por ahora.
Siento el retraso; su paquete sale mañana.
No encuentro ningún pedido con ese número.
Como socio, no paga los gastos de envío.
No se puede lavar a más de 30 grados.
Non spediamo in Svizzera al momento.
Mi dispiace per il ritardo, il pacco parte domani.
Non trovo nessun ordine con questo numero.
Come socio non paga la spedizione.
I buoni non si possono convertire in contanti.
"""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.mark.parametrize("answer", lines(DECLINES))
def test_answer_that_declines_is_a_refusal(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize("answer", lines(ANSWERS))
def test_answer_that_answers_is_none(answer: str) -> None:
    assert not is_refusal(answer)


def test_no_answer_of_the_sample_shop_is_a_refusal() -> None:
    shop = Path("examples/shop")
    said = [
        match[1]
        for path in shop.rglob("chats/*.txt")
        for match in re.finditer(r"<\w+_fjellbrook> (.*)", path.read_text(errors="replace"))
    ]
    for path in shop.rglob("reviews.jsonl"):
        said += [json.loads(line)["shop_reply"] or "" for line in path.read_text().splitlines()]

    assert len(said) > 300
    assert [answer for answer in said if is_refusal(answer)] == []


def test_only_the_beginning_counts() -> None:
    assert not is_refusal("The bag weighs 980 g. It is warm to 0 °C. I can't help with that.")
    assert not is_refusal("")
    assert not is_refusal(" \n")


def test_a_long_answer_takes_no_time() -> None:
    # Bounded by the head that is looked at; an unbounded rule would take minutes here.
    assert not is_refusal("ich kann " * 100_000)
    assert not is_refusal("as an ai " * 100_000)
