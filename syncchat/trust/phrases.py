"""Phrases: what updates often contain, as a dictionary for zstd (RFC 8878, section 5).

A chat message alone is too short for a compressor to learn anything from. So both sides begin with
a text that has the words and the frames of values which are likely to come; what matches is sent
as a distance and a length. Later phrases are nearer and so cheaper: words of several languages,
English by how often it is said, what stands in addresses, then the forms of values.

The dictionary is a part of body form 2 and can never change: another one would be another form.
"""

from __future__ import annotations

_OTHERS = (
    " не что это как для на я он она мы вы так есть привет спасибо"
    " 我们 你们 什么 没有 可以 谢谢 です ます ください ありがとう 안녕하세요 감사합니다"
    " नहीं और के لا في من على"
    " merhaba bir bu için değil teşekkürler ciao grazie non che per sono con della"
    " olá obrigado você não uma com para está hola gracias por favor los las una qué cómo estoy"
    " bonjour merci est pas vous nous dans pour avec c'est je suis les des une que"
    " danke bitte nicht auch schon noch wir sind ich habe ist das die der und ein eine mit für auf"
)

_ENGLISH = (
    " address answer already another anyone anything around available away because before best"
    " better between birthday call called cannot change check close coming correct could couldn't"
    " course didn't different directory doesn't done dinner doing door down driver early easy"
    " either email else email enough error even evening ever every everyone everything example"
    " exactly family feel file files find first follow food forget found free friend friends from"
    " front full getting give given going good great group guess guys haha happen happens happy"
    " hard have he's hear hello help here hmm home hope hours house how's hey idea important inside"
    " install installed instead isn't issue it'll kind know last later leave left let's like line"
    " link linux list little long look looking looks lot love lunch made mail make many maybe mean"
    " meet meeting message might minutes money months more morning most much music must myself name"
    " need needs never new next nice night nobody normal nothing number office often okay old once"
    " only open order other out over package part people perhaps phone photo picture place please"
    " point possible pretty probably problem program question quick quite rather read ready really"
    " reason remember restart right room running same saturday school screen search second see"
    " seems send server set should show side since small someone something sometimes somewhere soon"
    " sorry sounds start started still stop story stuff such sunday support sure system take talk"
    " tell than thank that's their them then there there's these they they're thing things think"
    " thought through ticket time times today together tomorrow tonight too top train tried try"
    " trying turn two type under understand until update upgrade use used user using usually"
    " version very video wait want wanted was wasn't watch way week weekend weeks well went were"
    " what what's when where whether which while who whole why will window windows with within"
    " without won't wonder work working works world would wouldn't write wrong yeah year years yes"
    " yesterday yet you'll you're your yours"
    " how do I what is the how can I get it to work does anyone know is there a way to"
    " i don't know what i have to i think it's not in the same as that is it would be able to"
    " thank you very much, thanks for the help. you can use the see you soon, ok thanks, sounds"
    " good don't want to I'm going to be there I can't at the moment on my way, if you want to do"
    " you have i am trying to you need to this is a have you tried and then it should be all the"
    " one of the"
)

_PLACES = (
    "0123456789 20:30 10:00 v1.2.3 127.0.0.1 /usr/local/bin/ /home/ /etc/ .txt .html .png .jpg .pdf"
    " :) ;) :D :-) ... lol 👍 ❤️ 😂 🎉 😮 😢"
    " http://www. https://github.com/ https://www. .com/ .org/"
)

_VALUES = (
    '["sender":"","name":"","at":,"forwarded":{"expires":"metadata":{"mentions":["'
    '"attachments":[{"kind":"image","id":"mime":"size":"sha256":"width":"height":'
    '(\x01\x05votes\x1a(\x01\x04room\x05title\x01w(\x01\x07profile\x04name\x01w\x1a["'
    "(\x01\x04room\x1epin/(\x01\x07deletes\x1a(\x01\x05edits\x1a"
    '(\x01\treactions\x1e👍\x01w\x16[",true]\x00(\x01\x05reads\'\x01w!["0","0'
    '"]\x00\x01\x01\x01"]\x01\x01\x01\x00\x01'
    '"thread":"03","reply_to":"03"}\x00\x01\x01\x01(\x01\x08messages\r03\x01w {"text":"'
)

DICTIONARY = (_OTHERS + _ENGLISH + _PLACES + _VALUES).encode()
"""The bytes of the dictionary; raw content in the words of RFC 8878."""
